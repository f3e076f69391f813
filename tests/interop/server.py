"""An agent as the Python SDK serves one, in both HTTP bindings: `server.py PORT`.

`say TEXT` says it word by word; `ask` asks back; `hang` works until it is cancelled; `fail` fails.
"""

import asyncio
import sys

import uvicorn
from a2a.helpers.proto_helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandlerV2
from a2a.server.routes import (
    create_agent_card_routes,
    create_jsonrpc_routes,
    create_rest_routes,
)
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types.a2a_pb2 import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from starlette.applications import Starlette


class Parrot(AgentExecutor):
    async def execute(self, context, event_queue):
        task = context.current_task
        if task is None:
            task = new_task_from_user_message(context.message)
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        verb, _, text = context.get_user_input().partition(" ")
        await updater.start_work()
        if verb == "ask":
            await updater.requires_input(new_text_message("which one?"))
            return
        if verb == "fail":
            await updater.failed(new_text_message("no luck"))
            return
        if verb == "hang":
            await asyncio.sleep(600)
        words = text.split()
        for at, word in enumerate(words):
            await updater.add_artifact(
                [new_text_part(word + " ")],
                artifact_id="said",
                name="said",
                append=at > 0,
                last_chunk=at == len(words) - 1,
            )
        await updater.complete(new_text_message("done"))

    async def cancel(self, context, event_queue):
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.cancel(new_text_message("cancelled"))


def card_at(url):
    return AgentCard(
        name="Python Parrot",
        description="Says a text again.",
        version="1.0.0",
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding=binding, protocol_version="1.0")
            for binding in sys.argv[2].split(",")
        ],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="say", name="Say", description="Says it.", tags=["text"])],
    )


def main():
    port = int(sys.argv[1])
    card = card_at(f"http://127.0.0.1:{port}")
    handler = DefaultRequestHandlerV2(Parrot(), InMemoryTaskStore(), card)
    routes = [
        *create_agent_card_routes(card),
        *create_jsonrpc_routes(handler, "/"),
        *create_rest_routes(handler),
    ]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="info")


main()
