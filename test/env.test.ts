import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readEnv } from '../src/env.ts'

// Contract, section 2.

const key = Buffer.alloc(32, 7).toString('base64')
const folder = mkdtempSync(join(tmpdir(), 'freeswitch-trunks-env-'))
afterAll(() => rmSync(folder, { recursive: true }))

const problemOf = (variables: Record<string, string>) => {
  const env = readEnv(variables)
  return 'problem' in env ? env.problem : null
}
function regionsFile(content: string): string {
  const file = join(folder, `${Math.random()}.json`)
  writeFileSync(file, content)
  return file
}

test('an empty environment is the defaults of the contract', () => {
  expect(readEnv({})).toMatchObject({
    ...{ HOST: '0.0.0.0', PORT: 3000, SWITCH_HOST: '127.0.0.1', SWITCH_PORT: 3001, DATA_DIR: './data' },
    ...{ API_SUBDOMAIN: 'api', PUBLIC_URL: 'http://api.localhost:3000', WEBHOOK_ALLOW_PRIVATE: false },
    ...{ EVENT_SOCKET: true, TTS_COMMAND: 'espeak-ng', SWITCH_URL: 'http://127.0.0.1:3001' },
    regions: [
      {
        ...{ alias: 'hydrogen', identifier: 'ap-southeast-1', human_name: 'South East Asia (Singapore)' },
        switches: [{ host: '127.0.0.1', port: 8021, password: 'ClueCon' }],
      },
      { alias: 'helium', identifier: 'us-east-1', human_name: 'North America (N. Virginia, USA)' },
    ],
  })
})

test('the public URL follows the port, loses its slash, and an empty variable is an absent one', () => {
  expect(readEnv({ PORT: '8080' })).toMatchObject({ PUBLIC_URL: 'http://api.localhost:8080' })
  expect(readEnv({ PUBLIC_URL: 'https://x.example/' })).toMatchObject({ PUBLIC_URL: 'https://x.example' })
  expect(readEnv({ PORT: '', OPERATOR_TOKEN: '' })).toMatchObject({ PORT: 3000 })
  expect(readEnv({ API_SUBDOMAIN: '' })).toMatchObject({ API_SUBDOMAIN: '' })
  expect(readEnv({ OPERATOR_TOKEN: 'short' })).toMatchObject({ OPERATOR_TOKEN: 'short' })
})

test.each([
  [{ PORT: 'abc' }, 'PORT is wrong: expected a port number, but it is abc.'],
  [{ PORT: '0' }, 'PORT is wrong: expected a port number, but it is 0.'],
  [{ SWITCH_PORT: '65536' }, 'SWITCH_PORT is wrong: expected a port number, but it is 65536.'],
  [{ EVENT_SOCKET: 'yes' }, 'EVENT_SOCKET is wrong: expected on or off, but it is yes.'],
  [{ WEBHOOK_ALLOW_PRIVATE: '1' }, 'WEBHOOK_ALLOW_PRIVATE is wrong: expected true or false, but it is 1.'],
  [{ API_SUBDOMAIN: 'a.b' }, 'API_SUBDOMAIN is wrong: expected one label of a host name, but it is a.b.'],
  [{ PUBLIC_URL: 'x' }, 'PUBLIC_URL is wrong: expected an http or https URL, but it is x.'],
  [
    { PUBLIC_URL: 'http://x:99999' },
    'PUBLIC_URL is wrong: expected an http or https URL, but it is http://x:99999.',
  ],
  [
    { ENCRYPTION_KEY: `!${'A'.repeat(43)}` },
    'ENCRYPTION_KEY is wrong: expected 32 bytes in base64, but it is something else.',
  ],
  [{ SWITCH_URL: 'ftp://x' }, 'SWITCH_URL is wrong: expected http://host:port, but it is ftp://x.'],
  [{ SWITCH_URL: 'http://a:b:c' }, 'SWITCH_URL is wrong: expected http://host:port, but it is http://a:b:c.'],
  [
    { DATABASE_URL: 'postgres://[bad', ENCRYPTION_KEY: key },
    'DATABASE_URL is wrong: expected postgres://…, but it is something else.',
  ],
  [{ TTS_COMMAND: ' ' }, 'TTS_COMMAND is wrong: expected a program, but it is  .'],
  [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL is wrong: expected a log level, but it is loud.'],
])('%j: %s', (variables, problem) => expect(problemOf(variables)).toBe(problem))

describe('what goes together', () => {
  test('a switch listener that others reach needs a password', () => {
    expect(problemOf({ SWITCH_HOST: '0.0.0.0' })).toMatch(/^SWITCH_PASSWORD is missing/)
    expect(problemOf({ SWITCH_HOST: '::' })).toMatch(/^SWITCH_PASSWORD is missing/)
    expect(problemOf({ SWITCH_HOST: '0.0.0.0', SWITCH_PASSWORD: 'x' })).toBeNull()
    for (const host of ['localhost', '::1', '127.0.0.9']) expect(problemOf({ SWITCH_HOST: host })).toBeNull()
  })

  test("somebody's own database needs the key", () => {
    expect(problemOf({ DATABASE_URL: 'postgres://h/d' })).toMatch(/^ENCRYPTION_KEY is missing/)
    for (const url of ['postgres://h/d', 'postgres://h1:5432,h2:5433/d', 'postgresql://u:p@[::1]:5432/d'])
      expect(problemOf({ DATABASE_URL: url, ENCRYPTION_KEY: key }), url).toBeNull()
  })
})

test('a secret that is wrong is not shown', () => {
  const wrong = { ENCRYPTION_KEY: 'hush-key', DATABASE_URL: 'mysql://user:hush-password@host/db' }
  for (const [name, value] of Object.entries(wrong)) {
    expect(problemOf({ [name]: value })).toMatch(new RegExp(`^${name} is wrong: expected `))
    expect(problemOf({ [name]: value })).not.toContain('hush')
  }
})

test.each([
  [{ DATABASE_URL: 'postgres://user:12#hush@host/db' }, /^DATABASE_URL is wrong: expected postgres/],
  [{ DATABASE_URL: 'postgres://user:12/hush@host/db' }, /^DATABASE_URL is wrong: expected postgres/],
  [
    { SWITCH_URL: 'http://freeswitch:hush@host:3001' },
    'SWITCH_URL is wrong: expected http://host:port, but it is http://…@host:3001.',
  ],
  [{ PUBLIC_URL: 'ftp://user:hu@sh@host' }, /, but it is ftp:\/\/…@host\.$/],
])('nor is one that stands in a URL: %j', (variables, problem) => {
  expect(problemOf({ ENCRYPTION_KEY: key, ...variables })).toMatch(problem)
  expect(problemOf({ ENCRYPTION_KEY: key, ...variables })).not.toMatch(/hu|sh@/)
})

const at = (password: string) =>
  `[{"alias":"a","identifier":"i","human_name":"n","switches":[\n{"host":"h","port":1,"password":${password}}]}]`

test.each([
  [at('s3cretPa'), 'is no JSON: line 2, column 33'],
  [at('"s3cretPa'), 'is no JSON: line 2, column 46'],
  [at('"s3cretPa\tx"'), 'is no JSON: line 2, column 42'],
  [at('s3cretPa').slice(0, -20), 'is no JSON: line 2, column 25'],
  ['s3cretPa', 'is no JSON: line 1, column 1'],
  [at('90210777'), 'at 0.switches.0.password: expected string'],
  [at('["s3cretPa"]'), 'at 0.switches.0.password: expected string'],
  [at('"s3cretPa\\n"'), 'at 0.switches.0.password: expected one line of text'],
  [at('"x","pass":"s3cretPa"'), 'at 0.switches.0.pass: expected nothing of this name'],
  [at('"x"}, "h:8021:s3cretPa", {"a":1'), 'at 0.switches.1: expected Object'],
])('no password of a switch is shown: %s', (content, words) => {
  const file = regionsFile(content)
  expect(problemOf({ REGIONS_FILE: file })).toBe(`REGIONS_FILE is wrong: ${file} ${words}.`)
})

function place(alias: string, ...hosts: string[]) {
  const switches = hosts.map((host) => ({ host, port: 8021, password: '' }))
  return { alias, identifier: 'i', human_name: 'n', switches }
}

test.each([
  ['{', /is no JSON: line 1, column 2\.$/],
  ['[]', /at its top/],
  ['[{"alias":"x","identifier":"y","human_name":"z"}]', /at 0\.switches/],
  ['[{"alias":"A B","identifier":"y","human_name":"z","switches":[]}]', /at 0\.alias/],
  [
    '[{"alias":"a","identifier":"y","human_name":"z","switches":[{"host":"h","port":0,"password":""}]}]',
    /port/,
  ],
  [JSON.stringify([place('a'), place('a')]), /two regions have one alias/],
  [JSON.stringify([place('a', 'h'), place('b', 'h')]), /a switch is there twice/],
])('a REGIONS_FILE of %s is refused', (content, problem) => {
  expect(problemOf({ REGIONS_FILE: regionsFile(content) })).toMatch(/^REGIONS_FILE is wrong/)
  expect(problemOf({ REGIONS_FILE: regionsFile(content) })).toMatch(problem)
})

test('a REGIONS_FILE stands in for the built-in regions', () => {
  const regions = [{ alias: 'moon', identifier: 'm-1', human_name: 'Moon', switches: [] }]
  expect(readEnv({ REGIONS_FILE: regionsFile(JSON.stringify(regions)) })).toMatchObject({ regions })
  expect(problemOf({ REGIONS_FILE: join(folder, 'missing') })).toMatch(
    /^REGIONS_FILE is wrong: .* cannot be read/,
  )
})
