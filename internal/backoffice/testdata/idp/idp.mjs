// A real OpenID Connect provider for the tests: oidc-provider, with two people and
// no questions asked. It prints its address once it listens.
//
//	node idp.mjs CLIENT SECRET REDIRECT
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const [client, secret, redirect] = process.argv.slice(2);
const people = {
  lucia: { email: 'lucia@example.it', email_verified: true },
  mario: { email: 'mario@example.it', email_verified: false },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: client, client_secret: secret, redirect_uris: [redirect], grant_types: ['authorization_code'], response_types: ['code'] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false, // the e-mail address goes into the id_token
    pkce: { required: () => true },
    cookies: { keys: ['only for tests'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, i) => `/who/${i.uid}` },
    findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
  });
  const oidc = provider.callback();
  server.on('request', async (req, res) => {
    const url = new URL(req.url, issuer);
    if (!url.pathname.startsWith('/who/')) return oidc(req, res);
    // The page where a person would type: the test says in the address who it is.
    const { prompt, session, params } = await provider.interactionDetails(req, res);
    if (prompt.name === 'login') {
      return provider.interactionFinished(req, res, { login: { accountId: url.searchParams.get('as') } });
    }
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope('openid email');
    await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } });
  });
  console.log(issuer);
});
