import { randomBytes } from 'node:crypto'
import { open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join, relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

// The number of a process tells little: after a power loss another program has it, in every container the server is
// number 1, and a container does not see the processes of another. So a server listens on a socket in the folder: the
// kernel takes connections there for as long as it lives, be it stopped or busy, and refuses them from then on.

const tries = 5
const mostPauseMilliseconds = 250

/** Takes a folder for this process alone, and gives what releases it; null when another server that runs has it: the
 * embedded database is one process's, and two would spoil it. What a process left that was killed is taken over. */
export async function lockFolder(folder: string): Promise<(() => Promise<void>) | null> {
  const file = join(folder, 'server.pid')
  for (let attempt = 0; attempt < tries; attempt++) {
    const own = await listenIn(folder)
    if (own === null) return lockByNumber(file)
    if ((await isAlone(folder, own.name)) && !(await isHeldByNumber(file))) {
      // For people: whose the folder is.
      await writeFile(file, `${process.pid}\n`)
      return () => rm(file, { force: true }).then(own.close)
    }
    await own.close()
    // Of several that start at one moment each has seen another, and none has the folder yet.
    await pause(Math.random() * mostPauseMilliseconds)
  }
  return null
}

type Listening = { name: string; close: () => Promise<void> }

// Null where there can be no socket: its name would be too long, or the file system has none.
async function listenIn(folder: string): Promise<Listening | null> {
  const name = `server.${randomBytes(8).toString('hex')}.sock`
  const server = await listen(pathOf(folder, name))
  return server && { name, close: () => new Promise((resolve) => server.close(() => resolve())) }
}

const socketName = /^server\.[0-9a-f]{16}\.sock$/
const mostPathBytes = 100

function pathOf(folder: string, name: string): string {
  const [whole, fromHere] = [join(folder, name), relative('', join(folder, name))]
  return fromHere.length < whole.length ? fromHere : whole
}

function listen(path: string): Promise<Server | null> {
  if (Buffer.byteLength(path) > mostPathBytes) return Promise.resolve(null)
  const server = createServer((socket) => socket.destroy()).unref()
  return new Promise((resolve) => {
    server.once('error', () => resolve(null))
    server.listen(path, () => resolve(server))
  })
}

// Each listens before it looks, so of two at least one sees the other. Sockets of the dead are cleared away; one that is
// only about to listen may be taken for dead, and looks in vain for its own name afterwards.
async function isAlone(folder: string, ownName: string): Promise<boolean> {
  const others = (await readdir(folder)).filter((name) => socketName.test(name) && name !== ownName)
  for (const name of others) if (await isListening(pathOf(folder, name))) return false
  for (const name of others) await rm(join(folder, name), { force: true })
  return stat(join(folder, ownName)).then(
    () => true,
    () => false,
  )
}

// Whatever does not say that nobody is there is taken for somebody.
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT')
    })
  })
}

// Without sockets, the number of the process is all that is known.
const byNumber = '-'

async function lockByNumber(file: string): Promise<(() => Promise<void>) | null> {
  if (!(await create(file))) {
    if (isAnother(Number((await read(file))[0]))) return null
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
  await handle?.writeFile(`${process.pid}\n${byNumber}\n`)
  await handle?.close()
  return handle !== null
}

async function isHeldByNumber(file: string): Promise<boolean> {
  const [pid, mark] = await read(file)
  return mark === byNumber && isAnother(Number(pid))
}

const read = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8').catch(() => '')).split('\n')

function isAnother(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
