/**
 * A task as it follows from its log: a fold over entries, without copying. The same entries give the
 * same task on every replica, whoever ran it (A2A 1.0 sections 3.5.2 and 4.2).
 */
import {
  type Artifact,
  Part,
  type StreamResponse,
  type Task,
  type TaskArtifactUpdateEvent,
  TaskState,
} from "@a2a-js/sdk";
import { PetrelError } from "../../core/mod.ts";
import type { Entry, TurnEntry } from "./record.ts";

const TERMINAL: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_REJECTED,
]);

/** States in which a task waits for its caller: nobody runs it, and a message takes it up again. */
const INTERRUPTED: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_INPUT_REQUIRED,
  TaskState.TASK_STATE_AUTH_REQUIRED,
]);

export function isTerminalState(state: TaskState | undefined): boolean {
  return state !== undefined && TERMINAL.has(state);
}

export function isInterruptedState(state: TaskState | undefined): boolean {
  return state !== undefined && INTERRUPTED.has(state);
}

/** True for a task that nobody works on: it has ended, or waits for its caller. */
export function isAtRest({ status }: Pick<Task, "status">): boolean {
  return isTerminalState(status?.state) || isInterruptedState(status?.state);
}

export function isTerminal(task: Task): boolean {
  return isTerminalState(task.status?.state);
}

/** A task's state after so many events. Changed in place by {@link apply}. */
export interface Folded {
  /** Missing while nothing was read, and for good where the answer was a message. */
  task: Task | undefined;
  /** The plain answer, where there is one in place of a task. */
  answer: Extract<StreamResponse["payload"], { $case: "message" }>["value"] | undefined;
  /** How the last turn came in. */
  turn: TurnEntry | undefined;
  /** Number of the last event folded in. */
  event: number;
}

export function emptyFold(): Folded {
  return { task: undefined, answer: undefined, turn: undefined, event: 0 };
}

/** Folds one entry in. Throws PROTOCOL_VIOLATION for an event that cannot follow. */
export function apply(folded: Folded, entry: Entry): void {
  if ("turn" in entry) {
    folded.turn = entry.turn;
    return;
  }
  if ("moved" in entry) {
    const { artifactId, at, parts, part } = entry.moved;
    const artifact = folded.task?.artifacts.find((one) => one.artifactId === artifactId);
    artifact?.parts.splice(at, parts, Part.fromJSON(part));
    return;
  }
  folded.event++;
  applyEvent(folded, entry.event);
}

function applyEvent(folded: Folded, { payload }: StreamResponse): void {
  if (payload?.$case === "message") {
    folded.answer = payload.value;
  } else if (payload?.$case === "task") {
    // A copy of the lists: the event itself goes to watchers, and later parts are none of theirs.
    const { artifacts, history } = payload.value;
    folded.task = {
      ...payload.value,
      artifacts: artifacts.map(ownArtifact),
      history: [...history],
    };
  } else if (!folded.task) {
    throw new PetrelError("PROTOCOL_VIOLATION", "the log of a task does not begin with the task");
  } else if (payload?.$case === "statusUpdate") {
    folded.task.status = payload.value.status;
  } else if (payload?.$case === "artifactUpdate") {
    applyArtifact(folded.task, payload.value);
  }
}

/** Appends to the artifact's parts, or puts the artifact in the place of the one with its id. */
function applyArtifact(task: Task, { artifact, append }: TaskArtifactUpdateEvent): void {
  if (!artifact) return;
  const place = task.artifacts.findIndex(({ artifactId }) => artifactId === artifact.artifactId);
  const there = task.artifacts[place];
  if (!there) task.artifacts.push(ownArtifact(artifact));
  else if (append) for (const part of artifact.parts) there.parts.push(part);
  else task.artifacts[place] = ownArtifact(artifact);
}

function ownArtifact(artifact: Artifact): Artifact {
  return { ...artifact, parts: [...artifact.parts] };
}

/** A task that later events do not change: for whoever keeps it while others write. */
export function snapshotOf(task: Task): Task {
  return { ...task, artifacts: task.artifacts.map(ownArtifact), history: [...task.history] };
}
