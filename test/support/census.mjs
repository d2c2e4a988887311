/** Counts what a run could leave behind on the machine: processes, shared memory, temporary files. */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** The variable that marks every process of a test, however it was started. */
export const MARK = 'MOBULA_TEST_RUN'

/**
 * Living processes that carry the mark or are still in the group.
 * @param {string} mark
 * @param {number} group
 * @returns {{ pid: number, command: string }[]}
 */
export function processesLeft(mark, group) {
  return existsSync('/proc/self/environ') ? fromProc(mark, group) : fromPs(group)
}

/** @param {string} mark @param {number} group */
function fromProc(mark, group) {
  const left = []
  const sign = `\0${MARK}=${mark}\0`
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      // "pid (name) state parent group ...", where the name may hold anything.
      const [state, , itsGroup] = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      if (state === 'Z' || state === 'X') continue
      const marked = Number(itsGroup) === group || `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes(sign)
      if (marked) left.push({ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() })
    } catch {
      // Ended meanwhile, or another user's.
    }
  }
  return left
}

/** Where there is no /proc, environments cannot be read: only the group is seen. @param {number} group */
function fromPs(group) {
  const rows = execFileSync('ps', ['-axo', 'pid=,pgid=,stat=,command='], { encoding: 'utf8' }).split('\n')
  return rows.flatMap((row) => {
    const [, pid, itsGroup, state = '', command = ''] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(row) ?? []
    return Number(itsGroup) === group && !state.startsWith('Z') ? [{ pid: Number(pid), command }] : []
  })
}

/**
 * Names of mobula's files where they must not stay.
 * @param {string} temporary the folder that TMPDIR names during the tests
 */
export function filesNow(temporary) {
  return ['/dev/shm', '/var/tmp', temporary].flatMap((folder) => {
    if (!existsSync(folder)) return []
    return readdirSync(folder).flatMap((name) => (/mobula/i.test(name) && `${folder}/${name}` !== temporary ? [`${folder}/${name}`] : []))
  })
}
