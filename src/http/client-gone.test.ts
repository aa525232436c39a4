import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { openSocket } from '../../test/support/http-client.ts';
import { get, HttpServers, textReply } from '../../test/support/http-server.ts';
import type { Request } from './message.ts';

const servers = new HttpServers();

afterEach(async () => {
  await servers.close();
});

for (const way of ['long', 'short']) {
  test(`a handler on the ${way} way hears that the client has gone, also when it asks only then`, async () => {
    const entered = Promise.withResolvers<Request>();
    const answer = Promise.withResolvers<void>();
    const handler = async (request: Request) => {
      entered.resolve(request);
      await answer.promise;
      return textReply('too late');
    };
    const { port, logOf } = await servers.serve(handler, { isShort: () => way === 'short' });
    const socket = await openSocket(port);
    socket.write(get('/'));
    const request = await entered.promise;
    socket.destroy();
    await logOf(1);
    assert.equal(request.gone.aborted, true);
    assert.equal(request.gone.aborted, true);
    answer.resolve();
  });

  test(`a client on the ${way} way that got its answer is not said to have gone`, async () => {
    const asked: Request[] = [];
    const handler = async (request: Request) => {
      asked.push(request);
      return textReply('in time');
    };
    const { port, logOf } = await servers.serve(handler, { isShort: () => way === 'short' });
    const socket = await openSocket(port);
    socket.write(get('/'));
    await logOf(1);
    assert.equal(asked[0]?.gone.aborted, false);
    socket.destroy();
  });
}
