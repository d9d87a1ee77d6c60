import type { Hono } from 'hono'
import { closeApi, createApi } from '../json-api/api.ts'
import type { ScopeEnv } from '../json-api/handlers.ts'
import { type Mounted, mount, serve } from '../json-api/routes.ts'
import type { Platform } from '../platform.ts'
import { accounts } from './accounts.ts'
import { apiOf } from './audit.ts'
import { authenticate, type CarrierScope } from './authenticate.ts'
import { errorLogs } from './error-logs.ts'
import { events } from './events.ts'
import { incomingPhoneNumbers } from './incoming-phone-numbers.ts'
import { phoneCalls } from './phone-calls.ts'
import { phoneNumbers } from './phone-numbers.ts'
import { rates } from './rates.ts'
import { routeTests } from './route-tests.ts'
import { sipTrunks } from './sip-trunks.ts'
import { webhookRequests } from './webhook-requests.ts'

/** The carrier API, to be mounted at /carrier/v1 (contract section 5). */
export function carrierApi(platform: Platform): Hono<ScopeEnv<CarrierScope>> {
  const app = createApi<CarrierScope>(platform.log)
  app.use(authenticate(platform))
  serve(app, apiOf(platform), carrierResources(platform))
  return closeApi(app)
}

/** All resources of the carrier API. */
export const carrierResources = (platform: Platform): Mounted<CarrierScope>[] => [
  mount(sipTrunks(platform)),
  mount(accounts(platform)),
  mount(phoneNumbers()),
  mount(incomingPhoneNumbers()),
  mount(phoneCalls()),
  mount(rates()),
  mount(errorLogs()),
  mount(webhookRequests()),
  mount(events()),
  routeTests(),
]
