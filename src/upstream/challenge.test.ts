import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { challengesMax, parseChallenges } from './challenge.ts';

function plain(field: string | readonly string[] | undefined): unknown[] {
  return parseChallenges(field).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

const hub =
  'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/redis:pull"';

describe('WWW-Authenticate', () => {
  const cases: readonly (readonly [string, string | readonly string[] | undefined, unknown])[] = [
    [
      'as Docker Hub sends it',
      hub,
      [
        [
          'bearer',
          {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:library/redis:pull',
          },
        ],
      ],
    ],
    ['that is absent', undefined, []],
    ['that is empty', '', []],
    ['with Basic', 'Basic realm="Registry"', [['basic', { realm: 'Registry' }]]],
    ['with a scheme alone', 'Negotiate', [['negotiate', {}]]],
    [
      'with a token68',
      'Negotiate a87421==, Basic realm=x',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    [
      'with two challenges in one field',
      'Basic realm="a, b", Bearer realm="https://x/t" , service=y',
      [
        ['basic', { realm: 'a, b' }],
        ['bearer', { realm: 'https://x/t', service: 'y' }],
      ],
    ],
    [
      'in two fields',
      ['Basic realm=a', 'Bearer realm=b'],
      [
        ['basic', { realm: 'a' }],
        ['bearer', { realm: 'b' }],
      ],
    ],
    ['with names in any case', 'BEARER Realm="r"', [['bearer', { realm: 'r' }]]],
    ['with escapes', String.raw`Bearer realm="a\"b\\c"`, [['bearer', { realm: String.raw`a"b\c` }]]],
    ['with spaces around =', 'Bearer realm = "r" , service= s', [['bearer', { realm: 'r', service: 's' }]]],
    ['with a name twice: the first counts', 'Bearer realm=a, realm=b', [['bearer', { realm: 'a' }]]],
    ['with a parameter before any scheme', 'realm=x, Basic realm=y', [['basic', { realm: 'y' }]]],
    [
      'with rubbish between',
      'Basic realm=a, @@@;;, Bearer realm=b',
      [
        ['basic', { realm: 'a' }],
        ['bearer', { realm: 'b' }],
      ],
    ],
    ['with a quote that never ends', 'Bearer realm="abc', [['bearer', {}]]],
  ];
  for (const [what, field, expected] of cases) {
    test(`${what} is read`, () => assert.deepEqual(plain(field), expected));
  }

  test('of more challenges than make sense only the first are kept', () => {
    assert.equal(parseChallenges(Array.from({ length: 100 }, () => 'Basic realm=x')).length, challengesMax);
  });

  test('any text is read in time in proportion to its length, without a failure', () => {
    const piece = fc.constantFrom('Bearer', 'realm', '=', '"', '\\', ',', ' ', '\t', 'a', '==', 'Basic ', '"x"', 'é');
    const text = fc.array(piece, { maxLength: 400 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ maxLength: 400 })), (field) => {
        for (const { scheme } of parseChallenges(field)) assert.match(scheme, /^[!-~]+$/);
      }),
    );
    assert.ok(parseChallenges('"'.repeat(1_000_000)).length === 0);
    assert.ok(parseChallenges('a="\\'.repeat(100_000)).length <= challengesMax);
  });

  test('whatever is written as a challenge is read as it was meant', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
    const challenge = fc.record({
      scheme: name,
      parameters: fc.uniqueArray(fc.tuple(name, fc.string({ maxLength: 12 })), {
        minLength: 1,
        maxLength: 4,
        selector: ([key]) => key,
      }),
    });
    fc.assert(
      fc.property(fc.array(challenge, { minLength: 1, maxLength: 4 }), (challenges) => {
        const quote = (value: string): string => `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
        const field = challenges
          .map(({ scheme, parameters }) => `${scheme} ${parameters.map(([k, v]) => `${k}=${quote(v)}`).join(', ')}`)
          .join(', ');
        assert.deepEqual(
          parseChallenges(field).map(({ scheme, parameters }) => ({ scheme, parameters: [...parameters] })),
          challenges.map(({ scheme, parameters }) => ({ scheme, parameters })),
        );
      }),
    );
  });
});
