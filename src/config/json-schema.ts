import { z } from 'zod';
import { fileSchema } from './schema/schema.ts';

/** The file's JSON Schema (draft 2020-12), for editors and `entrepot config --schema`. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-2020-12' });
  return {
    ...schema,
    patternProperties: { '^x-': {} },
    title: 'The configuration of Entrepot',
    description: 'One YAML file. A file written for registry:2 or registry:3 is a valid file.',
  };
}
