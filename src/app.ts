import { Hono } from 'hono'
import { basicAuth } from 'hono/basic-auth'
import { carrierApi } from './carrier-api/index.ts'
import { docs } from './docs/index.ts'
import { freeswitch } from './freeswitch/index.ts'
import { apiHost } from './json-api/api-host.ts'
import { metrics, operations } from './operations/index.ts'
import { fetchLog, requestLog } from './operations/requests.ts'
import { readTooLarge } from './operations/too-large.ts'
import { operatorApi } from './operator-api/index.ts'
import type { Platform } from './platform.ts'
import { twilioApi } from './twilio-api/index.ts'

/** The two listeners' apps (contract section 2): the public one, and FreeSWITCH's own, never mounted on the other. */
export function createApp(platform: Platform): { publicApp: Hono; switchApp: Hono } {
  return { publicApp: createPublicApp(platform), switchApp: createSwitchApp(platform) }
}

function createPublicApp(platform: Platform): Hono {
  const app = new Hono()
  app.use(requestLog(platform.log))
  app.use(readTooLarge)
  const apis = apiHost(platform.env.API_SUBDOMAIN)
  app.use('/carrier/*', apis)
  app.use('/operator/*', apis)
  app.use('/2010-04-01/*', apis)
  app.route('/carrier/v1', carrierApi(platform))
  app.route('/operator/v1', operatorApi(platform))
  app.route('/2010-04-01', twilioApi(platform))
  app.route('/', docs(platform))
  app.route('/', operations(platform))
  return app
}

function createSwitchApp(platform: Platform): Hono {
  const app = new Hono()
  const { SWITCH_PASSWORD: password } = platform.env
  app.use(fetchLog(platform.log))
  app.use(readTooLarge)
  // None for audio and recordings: mod_http_cache could send one only inside the URL, from where it would get into logs.
  if (password !== undefined)
    for (const path of ['/freeswitch/xml', '/freeswitch/cdr', '/metrics'])
      app.use(path, basicAuth({ username: 'freeswitch', password }))
  app.route('/freeswitch', freeswitch(platform))
  app.route('/', metrics(platform))
  return app
}
