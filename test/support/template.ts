import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import postgres from 'postgres'
import type { TestProject } from 'vitest/node'
import { embedded, openPostgres } from '../../src/db/connect.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** File of a migrated, empty embedded database, or name of such a database at TEST_DATABASE_URL. */
    template: string
  }
}

/** Migrates one empty database, of which every test file gets a copy of its own. */
export async function setup(project: TestProject) {
  const url = process.env.TEST_DATABASE_URL
  return url === undefined ? setupEmbedded(project) : setupPostgres(project, url)
}

async function setupEmbedded(project: TestProject) {
  const folder = mkdtempSync(join(tmpdir(), 'freeswitch-trunks-'))
  const client = await PGlite.create()
  await embedded(client).migrate()
  const dump = await client.dumpDataDir('none')
  await client.close()
  const file = join(folder, 'template.tar')
  writeFileSync(file, Buffer.from(await dump.arrayBuffer()))
  project.provide('template', file)
  return () => rmSync(folder, { recursive: true })
}

async function setupPostgres(project: TestProject, url: string) {
  const name = `freeswitch_trunks_template_${process.pid}`
  const admin = postgres(url, { max: 1, onnotice: () => {} })
  await admin.unsafe(`CREATE DATABASE ${name}`)
  const template = openPostgres(databaseUrl(url, name))
  await template.migrate()
  await template.close()
  project.provide('template', name)
  return async () => {
    await admin.unsafe(`DROP DATABASE IF EXISTS ${name}`)
    await admin.end()
  }
}

/** The same server's URL for another of its databases. */
export function databaseUrl(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}
