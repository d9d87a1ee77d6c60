import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** A TCP port that nobody listens on. */
export async function freeTcpPort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('A TCP port was expected.')
  return address.port
}

/** A port that is free for UDP and TCP, as a SIP profile needs it. */
export async function freeSipPort(host: string): Promise<number> {
  for (;;) {
    const port = await freeTcpPort(host)
    if (await udpPortIsFree(port, host)) return port
  }
}

/** Whether a UDP port could be bound. */
export async function udpPortIsFree(port: number, host: string): Promise<boolean> {
  const socket = createSocket('udp4')
  const bound = new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false))
    socket.bind(port, host, () => resolve(true))
  })
  const free = await bound
  socket.close()
  return free
}
