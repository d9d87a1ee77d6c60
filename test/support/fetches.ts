import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hono } from 'hono'

const folder = join(import.meta.dirname, '../fixtures/captures')

/** A real request body of mod_xml_curl, with some of its fields changed (null: left out). */
export function capturedFetch(name: string, changes: Record<string, string | null> = {}): string {
  const pieces = readFileSync(join(folder, `${name}.form`), 'utf8')
    .trim()
    .split('&')
  const left = pieces.filter((piece) => !(piece.slice(0, piece.indexOf('=')) in changes))
  const changed = Object.entries(changes).flatMap(([field, value]) =>
    value === null ? [] : [`${field}=${encode(value)}`],
  )
  return [...left, ...changed].join('&')
}

/** A real body of mod_json_cdr. */
export const capturedCdr = (name: string): string => readFileSync(join(folder, `${name}.json`), 'utf8')

/** Posts a body to the switch listener as FreeSWITCH does. */
export const post = (app: Hono, path: string, body: string, type = 'application/x-www-form-urlencoded') =>
  app.request(path, { method: 'POST', body, headers: { 'Content-Type': type } })

/** The actions of a dialplan document as `application data`, one a line. */
export function actionsOf(document: string): string[] {
  return [...document.matchAll(/<action application="([^"]*)" data="([^"]*)"\/>/g)].map(
    ([, application, data]) => `${application} ${plainText(data ?? '')}`.trimEnd(),
  )
}

const plainText = (text: string) => text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))

// As switch_url_encode does: `+` and space among those escaped.
const encode = (text: string) => encodeURIComponent(text).replaceAll('%2C', ',')
