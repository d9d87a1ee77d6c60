/** The token of an Authorization header: a Bearer's, or the password of Basic, whose user name says nothing. */
export function readToken(header: string | undefined): string | null {
  const [, scheme = '', credentials = ''] = /^(Bearer|Basic)\s+(\S+)\s*$/i.exec(header ?? '') ?? []
  if (scheme === '') return null
  if (scheme.toLowerCase() === 'bearer') return credentials
  const pair = Buffer.from(credentials, 'base64').toString('utf8')
  return pair.includes(':') ? pair.slice(pair.indexOf(':') + 1) : null
}
