const blockBytes = 512;

/** An archive of one small file, the same bytes whenever it is made (POSIX.1-1988, "ustar"). */
export function tarOf(name: string, text: string): Uint8Array {
  const content = Buffer.from(text);
  const header = Buffer.alloc(blockBytes);
  const fields = [
    [0, name],
    [100, '0000444\0'],
    [108, '0000000\0'],
    [116, '0000000\0'],
    [124, `${octal(content.length, 11)}\0`],
    [136, `${octal(0, 11)}\0`],
    // While the checksum is made, it is blanks.
    [148, ' '.repeat(8)],
    [156, '0'],
    [257, 'ustar\u000000'],
  ] as const;
  for (const [offset, value] of fields) header.write(value, offset, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  const padding = Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes);
  return Buffer.concat([header, content, padding, Buffer.alloc(2 * blockBytes)]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
