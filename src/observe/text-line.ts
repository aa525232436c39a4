/**
 * A JSON line as `key=value`, the way registry's text formatter writes it:
 * `time="2026-11-20T19:33:19.000Z" level=info msg="listening" address="127.0.0.1:5000"`.
 */
export function textLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const pairs = Object.entries({ time, level, msg, ...fields }).filter(([, value]) => value !== undefined);
  return `${pairs.map(([key, value]) => `${key}=${written(value)}`).join(' ')}\n`;
}

const plain = /^[\w.:/@+-]+$/;

function written(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  if (plain.test(text)) return text;
  // JSON leaves DEL and the C1 controls as they are, and a terminal would obey them.
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  return JSON.stringify(text).replaceAll(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}
