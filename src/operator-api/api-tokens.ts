import { type Context, Hono } from 'hono'
import { carrierById } from '../accounts/queries.ts'
import { type ApiToken, apiTokensOf, issueApiToken, revokeApiToken } from '../accounts/tokens.ts'
import { recordEvent } from '../db/audit.ts'
import type { Db } from '../db/connect.ts'
import { answer, type ResourceObject } from '../json-api/document.ts'
import { answerErrors, notFound } from '../json-api/error.ts'
import type { ScopeEnv } from '../json-api/handlers.ts'
import type { Scope } from '../json-api/resource.ts'
import { isUuid } from '../sid.ts'

/** The API tokens of a carrier, under `/carriers/:id/api_tokens` (contract section 4): listed, issued and revoked. The
 * text of a token is in the answer that issues it and nowhere else. */
export function apiTokens(url: string): Hono<ScopeEnv<Scope>> {
  const app = new Hono<ScopeEnv<Scope>>()

  app.get('/', async (c) => {
    const carrier = await findCarrier(c)
    if (carrier === null) return answerErrors([notFound])
    const tokens = await apiTokensOf(c.get('scope').db, carrier.id)
    const data = tokens.map((token) => toObject(url, token))
    return answer(200, { data, links: { self: `${url}/${carrier.id}/api_tokens` } })
  })

  app.post('/', async (c) => {
    const carrier = await findCarrier(c)
    if (carrier === null) return answerErrors([notFound])
    const issued = await c.get('scope').db.transaction(async (db) => {
      const token = await issueApiToken(db, carrier.id)
      await record(db, token.id, carrier.id, 'created')
      return token
    })
    const data = toObject(url, issued, issued.token)
    return answer(201, { data, links: data.links }, { Location: data.links.self })
  })

  app.get('/:tokenId', async (c) => {
    const carrier = await findCarrier(c)
    const tokens = carrier === null ? [] : await apiTokensOf(c.get('scope').db, carrier.id)
    const found = tokens.find(({ id }) => id === c.req.param('tokenId').toLowerCase())
    if (found === undefined) return answerErrors([notFound])
    const data = toObject(url, found)
    return answer(200, { data, links: data.links })
  })

  app.delete('/:tokenId', async (c) => {
    const carrier = await findCarrier(c)
    const { tokenId } = c.req.param()
    const revoked = await c.get('scope').db.transaction(async (db) => {
      if (carrier === null || !isUuid(tokenId) || !(await revokeApiToken(db, carrier.id, tokenId)))
        return false
      await record(db, tokenId, carrier.id, 'revoked')
      return true
    })
    return revoked ? new Response(null, { status: 204 }) : answerErrors([notFound])
  })
  return app
}

const record = (db: Db, resourceId: string, carrierId: string, action: 'created' | 'revoked') =>
  recordEvent(db, { carrierId, type: `api_token.${action}`, resourceId, apiTokenId: null, details: {} })

async function findCarrier(c: Context<ScopeEnv<Scope>>) {
  const id = c.req.param('id') ?? ''
  return isUuid(id) ? carrierById(c.get('scope').db, id) : null
}

const toObject = (url: string, token: ApiToken, text?: string): ResourceObject => ({
  type: 'api_token',
  id: token.id,
  attributes: {
    ...(text !== undefined && { token: text }),
    created_at: token.createdAt.toISOString(),
  },
  relationships: { carrier: { data: { type: 'carrier', id: token.carrierId } } },
  links: { self: `${url}/${token.carrierId}/api_tokens/${token.id}` },
})
