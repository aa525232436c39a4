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
  // JSON leaves DEL, the C1 controls, what turns the direction of writing (U+202E) and what ends lines as they are, and a
  // terminal or an editor would obey them.
  return JSON.stringify(text).replaceAll(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
