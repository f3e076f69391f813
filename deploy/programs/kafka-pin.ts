/** Apache Kafka as the project runs it without Docker: its jars, a launcher, and how it logs. */
import { recordClasses } from "../kafka/record.ts";
import { KAFKA_JARS } from "./kafka-jars.ts";
import type { MavenPin } from "./pins.ts";

/**
 * `kafka CLASS [ARGUMENT…]` runs a class of Kafka: the broker (`kafka.Kafka`) or an admin tool. The
 * flags are for one small node that has to be there soon: one collector thread, the quick compiler
 * alone, and the recorded classes where there is such a record. KAFKA_OPTS comes last and wins.
 */
const LAUNCHER = `#!/bin/sh
home=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
[ "\${1-}" = --version ] && set -- kafka.Kafka --version
# The order of the files is part of the record of classes.
classpath=$(printf '%s:' "$home"/lib/*.jar)
set -- -cp "\${classpath%:}" \${KAFKA_OPTS-} "$@"
[ -f "$home/classes.jsa" ] && set -- -XX:SharedArchiveFile="$home/classes.jsa" "$@"
exec "\${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \\
  -Xlog:disable -Xlog:all=error:stderr -Dlog4j2.configurationFile="$home/log4j2.yaml" "$@"
`;

/** Warnings, and the one line that says that the broker serves. Standard output is for the tools' answers. */
const LOG4J2 = `Configuration:
  status: error
  shutdownHook: disable
  Appenders:
    Console:
      name: stderr
      target: SYSTEM_ERR
      PatternLayout:
        pattern: "%d{HH:mm:ss.SSS} %p %c{1}: %m%n"
  Loggers:
    Root:
      level: warn
      AppenderRef: { ref: stderr }
    Logger:
      - { name: kafka.server.KafkaRaftServer, level: info }
`;

export const KAFKA: MavenPin = {
  version: "4.3.1",
  jars: KAFKA_JARS,
  files: { kafka: LAUNCHER, "log4j2.yaml": LOG4J2 },
  speedUp: recordClasses,
};
