import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Takes a folder for this process alone, and gives what releases it; null when another process that runs has it: the
 * embedded database is one process's, and two would spoil it. What a process left that was killed is taken over. */
export async function lockFolder(folder: string): Promise<(() => Promise<void>) | null> {
  const file = join(folder, 'server.pid')
  if (!(await create(file))) {
    if (isAnother(Number(await readFile(file, 'utf8').catch(() => '')))) return null
    await rm(file, { force: true })
    if (!(await create(file))) return null
  }
  return () => rm(file, { force: true })
}

async function create(file: string): Promise<boolean> {
  const handle = await open(file, 'wx').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return null
    throw error
  })
  await handle?.writeFile(`${process.pid}\n`)
  await handle?.close()
  return handle !== null
}

// A container's server is always process 1: its own number says nothing.
function isAnother(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
