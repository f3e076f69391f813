declare module "*.avsc" {
  const schema: { readonly type: "record"; readonly name: string; readonly namespace: string };
  export default schema;
}
