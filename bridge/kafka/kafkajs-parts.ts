/** The parts of kafkajs that we drive, as one module: loaded at the first use, and bundled by itself. */
// @ts-expect-error kafkajs has no types below its entry
export { default as makeAdmin } from "kafkajs/src/admin/index.js";
// @ts-expect-error kafkajs has no types below its entry
export { default as Cluster } from "kafkajs/src/cluster/index.js";
// @ts-expect-error kafkajs has no types below its entry
export { default as Emitter } from "kafkajs/src/instrumentation/emitter.js";
// @ts-expect-error kafkajs has no types below its entry
export { default as resourceTypes } from "kafkajs/src/protocol/configResourceTypes.js";
