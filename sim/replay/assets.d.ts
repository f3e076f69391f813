/** A data file imported with `{ type: "file" }`: its path, also inside a compiled binary. */
declare module "*.zst" {
  const path: string;
  export default path;
}
