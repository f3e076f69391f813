"""One run of Drain3 (IBM, MIT) over the lines of a file; answers with one JSON line.

Its masks name what ours do, in the order in which they have to be tried. Everything else is its default.
"""

import json
import resource
import sys
import time

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

MASKS = [
    (r"\{\"[^{}]*\}", "OBJ"),
    (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "UUID"),
    (r"\b[a-z][a-z0-9+]{1,9}://[^\s\"'<>\])]+", "URL"),
    (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?", "TIME"),
    (r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b", "TIME"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b", "IP"),
    (r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", "EMAIL"),
    (r"(?<![\w/])/[\w.\-/{}]+", "PATH"),
    (r"\b(?:0x[0-9a-fA-F]+|(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,})\b", "HEX"),
    (r"(?<=\w)\([^()]*=[^()]*\)", "OBJ"),
    (r"\"[^\"]{0,500}\"", "STR"),
    (r"[+-]?\d+(?:[.,]\d+)*", "NUM"),
]


def main():
    config = TemplateMinerConfig()
    config.masking_instructions = [MaskingInstruction(regex, mask) for regex, mask in MASKS]
    config.profiling_enabled = False
    miner = TemplateMiner(config=config)
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    lines = data.decode("utf-8", "replace").split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    unmatched = 0
    start = time.perf_counter()
    for line in lines:
        if miner.add_log_message(line) is None:
            unmatched += 1
    seconds = time.perf_counter() - start
    answer = {
        "work": {"lines": len(lines), "bytes": len(data), "unmatched": unmatched},
        "cost": {
            "lines": len(lines) / seconds,
            "templates": len(miner.drain.clusters),
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        },
    }
    print(json.dumps(answer))


main()
