import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { XMLValidator } from 'fast-xml-parser'
import { expect, test } from 'vitest'
import { createApp } from '../src/app.ts'
import { createTestPlatform } from './support/platform.ts'

// What FreeSWITCH makes of these files is shown by the live suite; here is what must hold between them and the server.

const folder = join(import.meta.dirname, '../freeswitch-conf')
const read = (...path: string[]) => readFileSync(join(folder, ...path), 'utf8')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.xml'),
)
const lines = files.flatMap((file) => read(file).split('\n'))

/** The params of a piece of XML in order, as `name=value`. */
const params = (xml = '') =>
  [...xml.matchAll(/<param name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]) => `${name}=${value}`)
const between = (xml: string, tag: string) => xml.match(new RegExp(`<${tag}>(.*)</${tag}>`, 's'))?.[1]
const whitelist = (section: string) =>
  params(read('configuration/fields', `${section}.xml`)).map((param) => param.replace('enable-post-var=', ''))

test('every file is well-formed', () => {
  for (const file of files)
    expect([file, XMLValidator.validate(`<file>${read(file)}</file>`)]).toEqual([file, true])
})

test('each directive of the preprocessor has a line of its own, and no other line looks like one', () => {
  const directives = lines.filter((line) => /x-pre-process/i.test(line))
  const form = /^ *<X-PRE-PROCESS cmd="(set|env-set|include)" data="[^"]*"\/>$/
  expect(directives.filter((line) => !form.test(line))).toEqual([])
  expect(lines.filter((line) => /<!--#|<\?/.test(line))).toEqual([])
})

test('every global has a default before the environment may change it', () => {
  const set = [...read('vars.xml').matchAll(/cmd="(set|env-set)" data="(\w+)=/g)]
  const defaults = set.filter(([, command]) => command === 'set').map(([, , name]) => name)
  const changed = set.filter(([, command]) => command === 'env-set').map(([, , name]) => name)
  expect(changed.filter((name) => !defaults.includes(name))).toEqual([])
  const core = ['hostname', 'local_ip_v4', 'log_dir', 'cache_dir']
  const used = [...lines.join('\n').matchAll(/\$\$\{([^}]*)\}/g)].map(([, name]) => name)
  expect(used.filter((name = '') => !defaults.includes(name) && !core.includes(name))).toEqual([])
})

test('what could run a command is off', () => {
  expect(params(read('configuration/switch.conf.xml'))).toContain('api-expansion=false')
  for (const name of ['disable_system_app_commands', 'disable_system_api_commands'])
    expect(read('vars.xml')).toContain(`cmd="set" data="${name}=true"`)
  const modules = [...read('configuration/modules.conf.xml').matchAll(/module="mod_(\w+)"/g)].map(
    ([, name]) => name,
  )
  expect(modules).toEqual([
    ...['xml_curl', 'console', 'logfile', 'event_socket', 'json_cdr', 'commands', 'dptools', 'dialplan_xml'],
    ...['hash', 'sndfile', 'tone_stream', 'http_cache', 'sofia'],
  ])
})

test('an INVITE with Replaces gets neither a call that talks nor an application of its own', () => {
  for (const global of [
    ...['intercept_unbridged_only=true', 'intercept_unanswered_only=true'],
    ...['current_application=hangup', 'current_application_data=CALL_REJECTED'],
  ])
    expect(read('vars.xml')).toContain(`cmd="set" data="${global}"`)
})

test('every binding has a time limit, credentials and a whitelist; the fallback is the same at another address', () => {
  const bindings = read('configuration/xml_curl.conf.xml')
  for (const section of ['configuration', 'directory', 'dialplan']) {
    const binding = bindings.match(new RegExp(`<binding name="${section}">(.*?)</binding>`, 's'))?.[1] ?? ''
    expect(params(binding).map((param) => param.split('=')[0])).toEqual(
      expect.arrayContaining(['gateway-url', 'gateway-credentials', 'timeout']),
    )
    expect(binding).toContain(`data="fields/${section}.xml"`)
    expect(whitelist(section).length).toBeGreaterThan(0)
  }
  const moved = (between(bindings, 'bindings') ?? '')
    .replaceAll('{switch_url}', '{fallback_switch_url}')
    .replaceAll('data="fields/', 'data="../fields/')
    .replaceAll('<binding name="', '<binding name="fallback ')
    .replace(/ *<X-PRE-PROCESS[^>]*bindings-.*\n/, '')
  expect(between(read('configuration/fallback/bindings-on.xml'), 'include')?.trim()).toBe(moved.trim())
})

test('a fetch carries every field that the server reads', () => {
  const source = readFileSync(join(import.meta.dirname, '../src/freeswitch/xml-fetch.ts'), 'utf8')
  const names = [...source.matchAll(/'((?:variable_|Hunt-|Unique-|Answer-)[\w-]+)'/g)].map(
    ([, name = '']) => name,
  )
  expect(names.length).toBeGreaterThan(8)
  expect(names.filter((name) => !whitelist('dialplan').includes(name))).toEqual([])
})

test('a switch that starts while no server answers runs the profile that the server would have given it', async () => {
  const platform = await createTestPlatform()
  const response = await createApp(platform).switchApp.request('/freeswitch/xml', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'hostname=fs1&section=configuration&tag_name=configuration&key_name=name&key_value=sofia.conf',
  })
  const served = await response.text()
  await platform.database.close()
  const own = read('configuration/sofia.conf.xml')
  expect(params(own).length).toBeGreaterThan(40)
  for (const part of ['global_settings', 'settings'])
    expect(params(between(own, part))).toEqual(params(between(served, part)))
})

test('while the server is away new calls are refused with 503 and running ones wait', () => {
  const [inbound, twiml] = read('dialplan.xml').split('<context name="twiml">')
  expect(inbound).toContain('<action application="respond" data="503 Service Unavailable"/>')
  expect(twiml).toContain('<action application="transfer" data="$1 XML twiml"/>')
})
