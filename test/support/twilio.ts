import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import twilio from 'twilio'
import { toSid } from '../../src/accounts/account.ts'
import { authTokenOf } from '../../src/accounts/tokens.ts'
import { createApp } from '../../src/app.ts'
import type { Platform } from '../../src/platform.ts'
import type { Tenant } from './rows.ts'

/** The public listener, really listening: SDKs and curl reach it. */
export async function listenPublicly(platform: Platform) {
  const server = createAdaptorServer({ fetch: createApp(platform).publicApp.fetch }) as Server
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** An account's SID and auth token. */
export const credentialsOf = ({ keys }: Platform, { account }: Pick<Tenant, 'account'>) => ({
  sid: toSid('AC', account.id),
  token: authTokenOf(keys, account),
})

/** Has the API change a call of the tenant's account, without a connection. */
export function updateCall(
  app: Hono,
  platform: Platform,
  tenant: Pick<Tenant, 'account'>,
  id: string,
  fields: Record<string, string>,
) {
  const { sid, token } = credentialsOf(platform, tenant)
  return app.request(`http://api.localhost/2010-04-01/Accounts/${sid}/Calls/${toSid('CA', id)}.json`, {
    method: 'POST',
    headers: {
      Authorization: `Basic ${btoa(`${sid}:${token}`)}`,
      'Content-Type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(fields).toString(),
  })
}

/** Twilio's own SDK, unmodified: only the base of its URLs is another. */
export function twilioClient({ sid, token }: { sid: string; token: string }, base: string) {
  const client = twilio(sid, token)
  client.api.baseUrl = base
  return client
}
