import { z } from 'zod';
import { parsedBy } from '../value/value-error.ts';
import { flag, free, text } from './values.ts';

/** registry lower-cases it. */
export const level = () =>
  parsedBy(z.string(), (value) => value.toLowerCase()).pipe(z.enum(['error', 'warn', 'info', 'debug']));

export const logSchema = z.strictObject({
  level: level()
    .optional()
    .describe('The least important lines that are written: error, warn, info or debug. Default: info.'),
  formatter: z.enum(['text', 'json', 'logstash']).prefault('text').describe('How a line is written.'),
  fields: free().prefault({}).describe('Fields added to every line.'),
  accesslog: z
    .strictObject({ disabled: flag().prefault(false).describe('Write no access log.') })
    .prefault({})
    .describe('One line for each request.'),
  reportcaller: flag().optional().describe("registry's: which source line wrote a log line."),
  hooks: z
    .array(
      z.strictObject({
        type: text().optional().describe('Only "mail" exists.'),
        disabled: flag().optional().describe('Leaves it out.'),
        levels: z.array(z.string()).optional().describe('Which lines are mailed.'),
        options: free().optional().describe('The mail server, from and to.'),
      }),
    )
    .optional()
    .describe("registry's: mails log lines."),
});
