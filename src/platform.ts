/** Refuses, in one sentence and before anything is loaded, the hosts that this package does not run on. */

const versions: Record<string, string | undefined> = process.versions

const refusal = (): string | undefined => {
  if (versions.bun !== undefined) return 'mobula does not run on Bun: it needs Node.js 20.19, 22.13, 24 or newer.'
  if (versions.deno !== undefined) return 'mobula does not run on Deno: it needs Node.js 20.19, 22.13, 24 or newer.'
  if (versions.electron !== undefined) return 'mobula does not run in Electron, which forbids buffers over shared memory: use it from a Node.js process.'
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    return `mobula runs on Linux and macOS, not on ${process.platform}: on Windows use it inside WSL.`
  }
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const isSupported = (major === 20 && minor >= 19) || (major === 22 && minor >= 13) || major >= 24
  return isSupported ? undefined : `mobula needs Node.js 20.19, 22.13, 24 or newer, and this is ${process.versions.node}: install a supported version.`
}

const reason = refusal()
if (reason !== undefined) throw Object.assign(new Error(reason), { code: 'ERR_UNSUPPORTED_PLATFORM' })

export {}
