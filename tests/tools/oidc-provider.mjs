// A real OpenID Connect provider for tests: node oidc-provider.mjs MODULES PORT token|userinfo CLIENT SECRET REDIRECT...
//
// Its log-in form believes everybody: whoever posts claims as JSON is the person with these claims, and `{"error": …}` is
// somebody who does not want to. The claims stand in the ID token, or are told by the userinfo endpoint alone, as the
// standard has it. Each start makes a new key.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const [modules, port, place, client, secret, ...redirects] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const persons = new Map();
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: client, client_secret: secret, redirect_uris: redirects }],
  claims: { email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  conformIdTokenClaims: place === 'userinfo',
  cookies: { keys: ['a key for tests'] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub, ...persons.get(sub) }) }),
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
  loadExistingGrant: async (context) => {
    const { client, session } = context.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid email profile groups');
    await grant.save();
    return grant;
  },
  pkce: { required: () => true },
});

const answer = provider.callback();

createServer(async (request, response) => {
  if (!request.url.startsWith('/interaction/')) {
    answer(request, response);
    return;
  }
  let text = '';
  for await (const chunk of request) text += chunk;
  const { error, ...claims } = JSON.parse(text);
  if (claims.sub) persons.set(claims.sub, claims);
  const result = error ? { error } : { login: { accountId: claims.sub } };
  await provider.interactionFinished(request, response, result);
}).listen(Number(port), '127.0.0.1');
