// A real OpenID Connect provider for the tests: who signs in is whose name is written into its form.
//
//   node server.mjs REDIRECT...
//
// It prints its address once it listens, and ends when its standard input does. POST /test/groups sets the groups of
// people: {"ann": ["platform"]}.
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

const groups = {}
const redirects = process.argv.slice(2)
const server = createServer()
await new Promise((done) => server.listen(0, '127.0.0.1', done))
const issuer = `http://127.0.0.1:${server.address().port}`

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'plenum',
      client_secret: 'the-secret-of-the-client',
      redirect_uris: redirects,
      post_logout_redirect_uris: redirects.map((u) => new URL('/sign-in', u).href),
    },
    { client_id: 'another', client_secret: 'the-secret-of-another', redirect_uris: redirects },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id, email: `${id}@example.com`, email_verified: !id.startsWith('unverified'), name: id.toUpperCase(), groups: groups[id] ?? [],
    }),
  }),
  pkce: { required: () => true },
  cookies: { keys: ['a-key-of-the-tests'] },
})
const app = provider.callback()
server.on('request', (req, res) => {
  if (req.url !== '/test/groups') return app(req, res)
  let body = ''
  req.on('data', (d) => { body += d })
  req.on('end', () => { Object.assign(groups, JSON.parse(body)); res.end('{}') })
})
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
console.log(issuer)
