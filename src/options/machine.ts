/** What this process may use of the machine: affinity and cgroup limits are honoured. */

import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Folders of this process's cgroup from its own up to the root, for one controller. */
const cgroupFolders = (controller: string): string[] => {
  const folders: string[] = []
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers = '', path = ''] = line.split(':')
    const isUnified = controllers === ''
    if (!isUnified && !controllers.split(',').includes(controller)) continue
    const root = isUnified ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controllers}`
    for (let folder = path; ; folder = folder.slice(0, folder.lastIndexOf('/'))) {
      folders.push(root + (folder === '/' ? '' : folder))
      if (folder === '' || folder === '/') break
    }
  }
  return folders
}

/** CPU time per time that cgroup v1 or v2 allow, in cores. */
const cpuQuota = (): number => {
  let quota = Number.POSITIVE_INFINITY
  for (const folder of cgroupFolders('cpu')) {
    const [max = 'max', period = '100000'] = (read(`${folder}/cpu.max`) ?? '').split(' ')
    if (max !== 'max' && max !== '') quota = Math.min(quota, Number(max) / Number(period))
    const v1 = Number(read(`${folder}/cpu.cfs_quota_us`) ?? -1)
    if (v1 > 0) quota = Math.min(quota, v1 / Number(read(`${folder}/cpu.cfs_period_us`) ?? 100_000))
  }
  return quota
}

/** Cores that this process may use, at least 1: affinity, and cgroup quotas rounded up. */
export const availableCpus = (): number => Math.max(1, Math.min(availableParallelism(), Math.ceil(cpuQuota())))

/** Bytes of memory that this process may use: physical memory, or less if a cgroup says so. */
export const availableMemory = (): number => {
  let memory = totalmem()
  for (const folder of cgroupFolders('memory')) {
    for (const file of ['memory.max', 'memory.limit_in_bytes']) {
      const limit = Number(read(`${folder}/${file}`) ?? Number.NaN)
      if (limit > 0) memory = Math.min(memory, limit)
    }
  }
  return memory
}
