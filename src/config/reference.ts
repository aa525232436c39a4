import { builtinUpstreams } from './builtin-upstreams.ts';
import { fileKeys } from './load.ts';
import { supportOf, type Support } from './support.ts';
import type { KeyNode } from './tree/keys.ts';

/** `docs/configuration.md`, made from the schema, the table of supported keys and that of public registries. */
export function configReference(): string {
  const sections = [...(fileKeys.fields ?? [])].map(([name, keys]) => section(name, keys));
  return [introduction, ...sections, builtinSection(), environment].join('\n\n').concat('\n');
}

const introduction = `# Configuration

<!-- Made by scripts/generate-config-reference.ts; a test holds it against the schema. -->

One YAML file; every key has a default. A file written for \`registry:2\` or \`registry:3\` is a valid file. \`entrepot config\`
prints the value of every key and where it comes from, \`entrepot config --schema\` the JSON Schema.

**What a file means.** A file with a key of ours that says what names mean, or no file at all, is a cache of every public registry. A file that \`registry:2\`
would start with, or \`REGISTRY_*\` variables without a file, mean what they meant there: without \`proxy\` every name is hosted, with
\`proxy.remoteurl\` this is a cache of that one upstream. The keys that change that are \`hosted.names\`, \`upstreams\`, \`defaultupstream\`,
\`cache\`, \`intercept\` and \`mirror\`; our other keys can be added to a file of registry's and leave its names alone.

**Values.** Durations have a unit: \`60s\`, \`5m\`, \`1h30m\`, \`3d\`, or are \`0\`; some may be \`forever\`. In registry's own keys a number without
a unit is nanoseconds. Sizes are \`50MB\` (millions), \`64MiB\` (powers of two) or a number of bytes. Globs know \`*\` and \`?\` within a part
of a name, \`**\` across slashes, \`[a-z]\` and \`{a,b}\`. Where a list is asked for, a single text will do. Paths count from the working directory.
Keys at the top that begin with \`x-\` are passed over: a place for anchors.

**In this version.** *explained* keys are accepted and ignored, with a line at start that says why; *refused* ones are an error that
says what to do.`;

const environment = `## The environment

Every key can be set from the environment: \`ENTREPOT_CACHE_SIZE=100GB\` is \`cache.size\`, \`ENTREPOT_HTTP_ADDR='[":5000", ":80"]'\` a
list; values are YAML. registry's own keys can be set as \`REGISTRY_*\`, too, by its rules: the value replaces what is there
(\`REGISTRY_STORAGE=inmemory\` the whole of \`storage\`), shorter names come first, lists have numbers (\`REGISTRY_HTTP_TLS_CLIENTCAS_0\`) and grow
by one at a time, names that nobody knows are ignored with a notice. \`ENTREPOT_*\` comes after \`REGISTRY_*\`; an unknown \`ENTREPOT_*\` is an error,
unless Kubernetes makes it for a Service. \`version\` can't be set.

The names of upstreams have dots: \`ENTREPOT_UPSTREAMS_QUAY.IO_FRESHNESS=5m\` works where names of variables may have dots (Docker, Compose,
Kubernetes); for an upstream that is built in or in the file, \`_\` stands for every other character: \`ENTREPOT_UPSTREAMS_QUAY_IO_FRESHNESS=5m\`;
for a new one, \`__\` stands for a dot: \`ENTREPOT_UPSTREAMS_REGISTRY__EXAMPLE__COM_URL=https://10.0.0.7\`; and
\`ENTREPOT_UPSTREAMS='{registry.example.com: {url: "https://10.0.0.7"}}'\` sets the whole map.

docker-registry-proxy's variables keep their meaning as well, as soon as one is there that only it has (\`REGISTRIES\`, \`AUTH_REGISTRIES\`,
\`CACHE_MAX_SIZE\`, \`ENABLE_MANIFEST_CACHE\`, \`ALLOW_PUSH\`, \`CA_CRT_FILE\` ...): the registries that are intercepted, their credentials, the tiers
of tags, the size, the authority, port 3128. What is not needed here is said at start; a pattern of tags that has no globs is an error.
A file, and variables of ours, count more; the image leaves out its default file then.

The file itself is named by \`ENTREPOT_CONFIGURATION_PATH\` or \`REGISTRY_CONFIGURATION_PATH\`, where the command line doesn't.`;

function section(name: string, keys: KeyNode): string {
  const rows = rowsOf([name], keys);
  const lines = rows.map(
    ({ key, keys: each, support: how }) =>
      `| \`${key}\` | ${fallbackText(each)} | ${each.description ?? ''} | ${supportText(how)} |`,
  );
  const about = keys.description === undefined || rows.length < 2 ? '' : `\n${keys.description}\n`;
  return [`## ${name}`, about, '| key | default | meaning | in this version |', '|---|---|---|---|', ...lines].join(
    '\n',
  );
}

interface Row {
  readonly key: string;
  readonly keys: KeyNode;
  readonly support: Support | undefined;
}

/** The keys below one; a list's items as `[]`, a name of the operator's own as NAME. */
function rowsOf(path: readonly string[], keys: KeyNode): readonly Row[] {
  const here: Row = {
    key: path.join('.').replaceAll('.[]', '[]'),
    keys,
    support: supportOf(path.filter((step) => step !== '[]'))?.support,
  };
  const items = keys.items === undefined ? [] : below([...path, '[]'], keys.items);
  const values = keys.values === undefined ? [] : below([...path, 'NAME'], keys.values);
  const fields = [...(keys.fields ?? [])].flatMap(([name, field]) => rowsOf([...path, name], field));
  const hasKeysBelow = keys.fields !== undefined ? fields.length > 0 : values.length > 0;
  const isGroup = hasKeysBelow && keys.scalars.size === 0 && keys.items === undefined;
  return [...(isGroup ? [] : [here]), ...fields, ...items, ...values];
}

function below(path: readonly string[], keys: KeyNode): readonly Row[] {
  return keys.fields === undefined
    ? []
    : rowsOf(path, keys).filter((row) => row.key !== path.join('.').replaceAll('.[]', '[]'));
}

function fallbackText({ fallback }: KeyNode): string {
  if (fallback === undefined) return '';
  return `\`${typeof fallback === 'string' ? fallback : JSON.stringify(fallback)}\``;
}

function supportText(how: Support | undefined): string {
  if (how === undefined || how.kind === 'honoured') return '';
  return `${how.kind}: ${how.text}`;
}

function builtinSection(): string {
  const lines = builtinUpstreams.map((upstream) => {
    const names = [upstream.name, ...upstream.aliases].map((name) => `\`${name}\``).join(', ');
    const realms = (upstream.keys.realms ?? []).map((realm) => `\`${realm}\``).join(', ');
    return `| ${names} | \`${upstream.keys.url}\` | ${realms} | ${upstream.habit} |`;
  });
  return ['## Built-in upstreams', '', '| name | url | realms | habits |', '|---|---|---|---|', ...lines].join('\n');
}
