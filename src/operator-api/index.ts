import type { Hono } from 'hono'
import { recordEvent } from '../db/audit.ts'
import { closeApi, createApi } from '../json-api/api.ts'
import { withoutSecrets } from '../json-api/document.ts'
import type { ScopeEnv } from '../json-api/handlers.ts'
import type { Api, Scope } from '../json-api/resource.ts'
import { type Mounted, mount, serve } from '../json-api/routes.ts'
import type { Platform } from '../platform.ts'
import { apiTokens } from './api-tokens.ts'
import { authenticate } from './authenticate.ts'
import { carriers } from './carriers.ts'

/** The operator API, to be mounted at /operator/v1 (contract section 4). Without OPERATOR_TOKEN there is nothing. */
export function operatorApi(platform: Platform): Hono<ScopeEnv<Scope>> {
  const app = createApi<Scope>(platform.log)
  const { OPERATOR_TOKEN: token, PUBLIC_URL } = platform.env
  if (token === undefined) return closeApi(app)
  app.use(authenticate(platform, token))
  const api: Api<Scope> = {
    url: `${PUBLIC_URL}/operator/v1`,
    owner: () => 'operator',
    // What the operator does to a carrier is in that carrier's audit trail, under no token of its own.
    record: ({ db }, { type, action, id, before, after, secrets }) =>
      recordEvent(db, {
        carrierId: id,
        type: `${type}.${action}`,
        resourceId: id,
        apiTokenId: null,
        details: { before: withoutSecrets(before, secrets), after: withoutSecrets(after, secrets) },
      }),
  }
  serve(app, api, operatorResources())
  app.route('/carriers/:id/api_tokens', apiTokens(`${api.url}/carriers`))
  return closeApi(app)
}

/** The resources of the operator API that stand alone. */
export const operatorResources = (): Mounted<Scope>[] => [mount(carriers())]
