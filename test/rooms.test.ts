import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

// Imports go down this list only (CONTRIBUTING.md). Files at the top of src that every room may use come last.
const order = [
  ['main', 'replay-cdr'],
  ['app', 'demo', 'key-file', 'work'],
  ['docs'],
  ['housekeeping'],
  ['freeswitch', 'carrier-api', 'operator-api', 'twilio-api', 'operations'],
  ['channels'],
  ['outbound'],
  ['inbound'],
  ['steps'],
  ['dialling'],
  ['calls'],
  ['switches'],
  ['trunks'],
  ['accounts'],
  ['twiml'],
  ['audio'],
  ['webhooks'],
  ['numbers'],
  ['json-api'],
  ['platform'],
  ['event-socket'],
  ['db'],
  ['dialplan-action'],
  ['env', 'errors', 'log', 'metadata', 'metrics', 'secrets', 'sid', 'sip-uri'],
  ['regions'],
]
const source = resolve(import.meta.dirname, '../src')
const roomOf = (path: string) => relative(source, path).split('/')[0]?.replace(/\.ts$/, '') ?? ''
const rank = (room: string) => order.findIndex((rooms) => rooms.includes(room))
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(source, name))

test('every file of src stands in a room of the list', () => {
  expect(files.map(roomOf).filter((room) => rank(room) === -1)).toEqual([])
})

test('imports go downhill', () => {
  const uphill = files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g)]
      .map((match) => resolve(dirname(file), match[1] ?? ''))
      .filter((target) => roomOf(target) !== roomOf(file) && rank(roomOf(target)) <= rank(roomOf(file)))
      .map((target) => `${relative(source, file)} imports ${relative(source, target)}`),
  )
  expect(uphill).toEqual([])
})
