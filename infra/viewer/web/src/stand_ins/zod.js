// Stands in for zod, with which @grafana/data checks the themes that come with it: here everything is as it should be.
const schema = new Proxy(() => schema, {
  get: (_, name) => (name === 'safeParse' ? (data) => ({ success: true, data }) : schema),
});
const any = () => schema;
export {
  any as array,
  any as boolean,
  any as enum,
  any as int,
  any as literal,
  any as number,
  any as object,
  any as string,
  any as union,
};
