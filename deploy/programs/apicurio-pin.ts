/**
 * Apicurio Registry, which answers as Confluent's Schema Registry does and keeps its schemas in memory.
 * 3.0 is the last line that runs on Java 17.
 */
import type { MavenPin } from "./pins.ts";

/** `apicurio [JAVA FLAG…]` serves in the foreground and logs to standard error. */
const LAUNCHER = `#!/bin/sh
home=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
jar=$(ls "$home"/lib/apicurio-registry-app-*-runner.jar)
if [ "\${1-}" = --version ]; then
  version=\${jar##*/apicurio-registry-app-}
  echo "\${version%-runner.jar}"
  exit
fi
exec "\${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \\
  -Dquarkus.http.access-log.enabled=false '-Dquarkus.log.category."io.quarkus".level=INFO' \\
  "$@" -jar "$jar" >&2
`;

export const APICURIO: MavenPin = {
  version: "3.0.9",
  jars: [
    [
      "io.apicurio:apicurio-registry-app:3.0.9:all:tar.gz",
      "2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43",
      108_860_403,
    ],
  ],
  files: { apicurio: LAUNCHER },
};
