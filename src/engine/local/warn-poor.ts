/** Says that an actor has waited for long for what others hold. */

import type { tend } from '../../binding.ts'

export const warnPoor = ({ name, needs, holders }: ReturnType<typeof tend>[number]): void => {
  const by = holders.length === 0 ? 'others take in turn' : `${holders.join(', ')} ${holders.length === 1 ? 'holds' : 'hold'}`
  process.emitWarning(
    `actor ${name} has waited for ${needs.join(' and ')} for 10 s, which ${by}. Its calls wait with it. An actor holds what it needs until it ends: let go of its handles (a queued call holds those among its arguments), or kill it. Said once for each class.`,
    'MobulaWarning',
  )
}
