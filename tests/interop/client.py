"""The Python SDK's own client against an agent that is agents/echo: `client.py URL BINDING [CARD]`.

CARD is where the card is, below the URL; with that of A2A 0.3 the client speaks 0.3.

Prints what it saw as one JSON list, without ids and times.
"""

import asyncio
import json
import sys
import uuid

from a2a.client.client import ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Part,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskState,
)
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

seen = []


def saying(text, task_id="", every_ms=None, message_id=None, context_id=""):
    request = SendMessageRequest()
    message = request.message
    message.message_id = message_id or str(uuid.uuid4())
    message.role = Role.ROLE_USER
    message.task_id = task_id
    message.context_id = context_id
    message.parts.append(Part(text=text))
    if every_ms is not None:
        message.parts.append(Part(data=ParseDict({"everyMs": every_ms}, Value())))
    return request


def words(task):
    state = TaskState.Name(task.status.state).removeprefix("TASK_STATE_")
    told = "".join(part.text for part in task.status.message.parts)
    text = "".join(part.text for artifact in task.artifacts for part in artifact.parts)
    return state + (f' "{told}"' if told else "") + (f" [{text.strip()}]" if text else "")


def event_words(event):
    if event.HasField("task"):
        return f"task {words(event.task)}"
    if event.HasField("status_update"):
        status = event.status_update.status
        told = "".join(part.text for part in status.message.parts)
        return f'{TaskState.Name(status.state).removeprefix("TASK_STATE_")} "{told}"'
    update = event.artifact_update
    text = "".join(part.text for part in update.artifact.parts)
    flags = (" append" if update.append else "") + (" last" if update.last_chunk else "")
    return f"artifact {update.artifact.name} [{text.strip()}]{flags}"


async def send(client, request):
    """The one answer of a call that does not stream."""
    async for event in client.send_message(request):
        return event.task
    raise AssertionError("no answer")


async def refusal(call):
    try:
        await call
        return "it succeeded"
    except Exception as error:  # whatever it is, its name is what is asked
        return type(error).__name__


async def first(events):
    async for event in events:
        return event


async def conversation(plain, streaming, context):
    same = str(uuid.uuid4())
    task = await send(plain, saying("ahoy there", message_id=same, context_id=context))
    seen.append(f"send: {words(task)}")
    again = await send(plain, saying("ahoy there", message_id=same, context_id=context))
    seen.append(f"send again: {'the same task' if again.id == task.id else 'another task'}")
    async for event in streaming.send_message(saying("one two", context_id=context)):
        seen.append(f"stream: {event_words(event)}")
    asked = await send(plain, saying("", context_id=context))
    seen.append(f"ask: {words(asked)}")
    reply = await send(plain, saying("this", task_id=asked.id))
    seen.append(f"reply: {words(reply)}")
    short = await plain.get_task(GetTaskRequest(id=asked.id, history_length=1))
    seen.append(f"get: {words(short)}, history {len(short.history)}")
    return asked.id


async def slow_task(plain, streaming, context):
    """A stream that is left, taken up again, and ended by a cancel."""
    task_id = None
    stream = streaming.send_message(saying("a b c", every_ms=700, context_id=context))
    async for event in stream:
        task_id = task_id or event.task.id
        if event.HasField("artifact_update"):
            break
    await stream.aclose()
    async for event in streaming.subscribe(SubscribeToTaskRequest(id=task_id)):
        if event.HasField("task"):
            said = "".join(p.text for a in event.task.artifacts for p in a.parts)
            seen.append(f"subscribe: task, {'what was said is there' if said.startswith('a ') else said}")
        elif event.HasField("artifact_update") and event.artifact_update.last_chunk:
            seen.append(f"subscribe: {event_words(event)}")
        elif event.status_update.status.state == TaskState.TASK_STATE_COMPLETED:
            seen.append(f"subscribe: {event_words(event)}")
    whole = await plain.get_task(GetTaskRequest(id=task_id))
    seen.append(f"get: {words(whole)}")

    hanging = saying("never heard", every_ms=60_000, context_id=context)
    hanging.configuration.return_immediately = True
    task = await send(plain, hanging)
    watching = asyncio.create_task(
        collect(streaming.subscribe(SubscribeToTaskRequest(id=task.id)))
    )
    cancelled = await plain.cancel_task(CancelTaskRequest(id=task.id))
    seen.append(f"cancel: {words(cancelled)}")
    # The subscription may have come too late to a task that has ended.
    if await refusal(asyncio.shield(watching)) == "it succeeded":
        assert watching.result()[-1] == 'CANCELED "cancelled by its caller"', watching.result()


async def collect(events):
    return [event_words(event) async for event in events]


async def refusals(plain, streaming, ended):
    none = "no-such-task"
    for name, call in {
        "get none": plain.get_task(GetTaskRequest(id=none)),
        "cancel none": plain.cancel_task(CancelTaskRequest(id=none)),
        "cancel ended": plain.cancel_task(CancelTaskRequest(id=ended)),
        "subscribe to none": first(streaming.subscribe(SubscribeToTaskRequest(id=none))),
        "subscribe to ended": first(streaming.subscribe(SubscribeToTaskRequest(id=ended))),
        "send to ended": send(plain, saying("x", task_id=ended)),
        "send nothing": send(plain, SendMessageRequest()),
    }.items():
        seen.append(f"{name}: {await refusal(call)}")


async def main(url, binding, card=None):
    def config(streaming):
        return ClientConfig(
            streaming=streaming,
            supported_protocol_bindings=[binding],
            use_client_preference=True,
        )

    async with (
        await ClientFactory(config(False)).create_from_url(url, relative_card_path=card) as plain,
        await ClientFactory(config(True)).create_from_url(url, relative_card_path=card) as streaming,
    ):
        assert type(plain._transport).__name__.startswith("Compat") == bool(card)
        context = str(uuid.uuid4())
        ended = await conversation(plain, streaming, context)
        await slow_task(plain, streaming, context)
        await refusals(plain, streaming, ended)
        if card:  # ListTasks is not in 0.3
            print(json.dumps(seen))
            return
        page = await plain.list_tasks(ListTasksRequest(context_id=context, page_size=2))
        more = "more" if page.next_page_token else "no more"
        seen.append(f"list: {len(page.tasks)} of {page.total_size}, {more}")
    print(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))
