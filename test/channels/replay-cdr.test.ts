import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { cdrs } from '../../src/db/schema.ts'
import { replay } from '../../src/replay-cdr.ts'
import { capturedCdr } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'

test('spooled CDRs are posted again: what is stored is deleted, what is not stays', async () => {
  const platform = await createTestPlatform({ SWITCH_PASSWORD: 'swordfish' })
  const server = createAdaptorServer({ fetch: createApp(platform).switchApp.fetch }) as Server
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const folder = await mkdtemp(join(tmpdir(), 'cdr-spool-'))
  const record = capturedCdr('cdr-outbound-busy')
  await writeFile(join(folder, '7d9f0c1e-0000-4c59-9f59-333333333333.cdr.json'), record)
  await writeFile(join(folder, 'again.cdr.json'), record)
  await writeFile(join(folder, 'torn.cdr.json'), record.slice(0, 100))
  await writeFile(join(folder, 'notes.txt'), 'not a CDR')

  expect(await replay(folder, url, 'wrong')).toMatchObject({ stored: 0, kept: { length: 3 } })
  const replayed = await replay(folder, url, 'swordfish')
  expect(replayed.stored).toBe(2)
  expect(replayed.kept).toEqual([expect.stringMatching(/^torn\.cdr\.json: 400 Expected a CDR/)])
  expect((await readdir(folder)).sort()).toEqual(['notes.txt', 'torn.cdr.json'])
  expect(await platform.db.select().from(cdrs)).toHaveLength(1)

  await rm(folder, { recursive: true })
  await new Promise((resolve) => server.close(resolve))
  await platform.database.close()
})
