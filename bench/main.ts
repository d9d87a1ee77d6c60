import { benchDocument } from './document.ts'
import { benchInbound } from './inbound.ts'

// Prints what was measured in this run, as ratios to a baseline of the same run: the machine cancels out.
const url = process.env.BENCH_DATABASE_URL
console.log(
  `Node ${process.version}, ${url === undefined ? 'PGlite in memory (set BENCH_DATABASE_URL to measure PostgreSQL)' : 'PostgreSQL'}\n`,
)
await benchInbound(url)
benchDocument()
