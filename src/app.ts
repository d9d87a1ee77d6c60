import { Hono } from 'hono'
import { freeswitch } from './freeswitch/index.ts'
import type { Platform } from './platform.ts'

/** The two listeners' apps (contract section 2): the public one, and FreeSWITCH's own, never mounted on the other. */
export function createApp(platform: Platform): { publicApp: Hono; switchApp: Hono } {
  const switchApp = new Hono()
  switchApp.route('/freeswitch', freeswitch(platform))
  const publicApp = new Hono()
  return { publicApp, switchApp }
}
