// Pure: what an operation of the API's description takes. A form may be one of several, or be put together from parts.

const FORM = 'multipart/form-data';

const inner = (schema) => schema.items ?? schema;
const isFile = (schema) => inner(schema).format === 'binary';

/** Two schemas as one: every field of both. */
const both = (a, b) => ({ title: b.title ?? a.title, properties: { ...a.properties, ...b.properties }, required: [...a.required, ...b.required] });

/** Each way to fill in a schema, with all its fields: references are followed, and the parts of `allOf` are put together. */
function ways(schema, schemas) {
  if (schema.$ref) return ways(schemas[schema.$ref.split('/').pop()], schemas);
  const own = { title: schema.description, properties: schema.properties ?? {}, required: schema.required ?? [] };
  const parts = (schema.allOf ?? []).map((part) => ways(part, schemas));
  const choices = [schema.oneOf, schema.anyOf].filter(Boolean).map((list) => list.flatMap((part) => ways(part, schemas)));
  return [...parts, ...choices].reduce((found, more) => found.flatMap((a) => more.map((b) => both(a, b))), [own]);
}

/** The only values of an input: those of a closed set, or null. */
function values(schema) {
  const one = inner(schema);
  if (one.enum) return one.enum.filter((word) => word !== null);
  if ([one.type].flat().includes('boolean')) return ['true', 'false'];
  return /^\^\(?([\w|]+)\)?\$$/.exec(one.pattern ?? '')?.[1].split('|') ?? null;
}

/** Each way to call an operation: a title, and the inputs, of which the required ones come first. */
export function calls(operation, schemas) {
  const parameters = (operation.parameters ?? []).map(({ name, in: place, required, description, schema }) => ({ name, place, required: Boolean(required), description, schema, values: values(schema) }));
  const form = operation.requestBody?.content?.[FORM]?.schema;
  const found = form ? ways(form, schemas) : [{ properties: {}, required: [] }];
  return found.map(({ title, properties, required }) => {
    const fields = Object.entries(properties).map(([name, schema]) => ({
      name, place: isFile(schema) ? 'file' : 'form', required: required.includes(name), description: schema.description, schema, values: values(schema),
    }));
    return { title, given: [...parameters, ...fields].sort((a, b) => Number(b.required) - Number(a.required)) };
  });
}

/** An example of an input's value: a place for what only the caller knows is in capitals. */
export function example({ name, place, schema, values: known }) {
  const count = schema.items ? schema.minItems ?? 1 : 1;
  if (place === 'file') return count > 1 ? Array.from({ length: count }, (_, at) => `photograph-${at + 1}.jpg`) : 'photograph.jpg';
  return { user_id: 'ann' }[name] ?? known?.[0] ?? name.toUpperCase();
}
