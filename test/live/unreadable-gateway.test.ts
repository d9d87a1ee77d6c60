import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Resource } from './support/carrier.ts'
import { type FreeSwitch, productConf, startFreeSwitch } from './support/freeswitch.ts'
import { until } from './support/programs.ts'
import { type Registrar, startRegistrar } from './support/registrar.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
const users = { alice: 'alice-secret', bob: 'bob-secret' }
let pbx: Registrar
let freeswitch: FreeSwitch

beforeAll(async () => {
  pbx = await startRegistrar(world.folder, 'pbx', users)
  freeswitch = world.freeswitch
})
afterAll(async () => {
  await freeswitch?.stop('SIGKILL')
  await pbx?.stop()
})

const trunkOf = (username: keyof typeof users) =>
  world.carrier.create('sip_trunks', {
    ...{ name: username, authentication_mode: 'outbound_registration', region: 'hydrogen' },
    ...{ username, password: users[username], outbound_host: pbx.freeswitch.sip },
  })

const registered = (...wanted: string[]) =>
  until(
    `${wanted} are registered`,
    async () => {
      const names = [...(await pbx.contacts())].flatMap(([user, contacts]) => contacts.map(() => user))
      return JSON.stringify(names.sort()) === JSON.stringify(wanted) ? true : undefined
    },
    30_000,
  )

async function damage({ id }: Resource) {
  const { server, folder } = world
  await server.stop()
  const database = await PGlite.create(join(folder, 'server-data', 'postgres'))
  await database.query("UPDATE sip_trunks SET password_encrypted = '\\x00' WHERE id = $1", [id])
  await database.close()
  await server.start()
}

test('a switch that starts has its profile and every gateway but the one that cannot be read', async () => {
  const broken = await trunkOf('alice')
  const sound = await trunkOf('bob')
  await registered('alice', 'bob')
  await damage(broken)
  await freeswitch.stop('SIGKILL')
  await pbx.die()
  await pbx.start()
  const { server } = world
  freeswitch = await startFreeSwitch(world.folder, {
    ...{ name: 'switch', conf: productConf, profile: 'nat_gateway' },
    sipPort: Number(freeswitch.sip.split(':')[1]),
    eventSocketPort: freeswitch.eventSocket.port,
    env: { SWITCH_URL: server.switchUrl, SWITCH_PASSWORD: server.switchPassword },
  })
  await registered('bob')
  await until('the switch runs that gateway and no other', async () => {
    const running = await freeswitch.api('sofia profile nat_gateway gwlist up')
    return running.trim() === sound.id ? true : undefined
  })
  expect(server.log()).toContain(`"trunkId":"${broken.id}"`)
  const shown = await world.carrier.list('sip_trunks')
  expect(shown.map(({ attributes }) => attributes.password)).toEqual([users.bob, null])
  await world.carrier.update(broken, { password: users.alice })
  await registered('alice', 'bob')
}, 120_000)
