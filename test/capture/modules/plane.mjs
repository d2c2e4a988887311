/** A local module: functions, a default export, a class, an error, and state of its own. */
// @ts-nocheck: see cases/

import { join } from 'node:path'
import { level as currentLevel, raise } from './live.mjs'

const unit = 'cm'

export const area = (w, h) => `${w * h} ${unit}²`
export function perimeter(w, h) {
  return 2 * (w + h)
}
export const table = { deep: { list: [1, 2, 3] } }
export const scale = (k) => (x) => x * k

export class Point {
  constructor(x, y) {
    this.x = x
    this.y = y
  }
  get length() {
    return Math.hypot(this.x, this.y)
  }
  plus(other) {
    return new Point(this.x + other.x, this.y + other.y)
  }
  static origin = new Point(0, 0)
}

/** What it hides travels only since it is imported on both sides: its instances do not. */
export class Secret {
  #value = 5
  show() {
    return this.#value
  }
}

export class PlaneError extends RangeError {
  constructor(message, at) {
    super(message)
    this.name = 'PlaneError'
    this.at = at
  }
}

let calls = 0
export const countCalls = () => ++calls

export default function half(x) {
  return x / 2
}

/** A closure over what only this file has. */
export const labeller = (name) => {
  const whole = join(name, unit)
  return async (x) => {
    const { lazily } = await import('./lazy.mjs')
    return [whole, area(x, 1), typeof currentLevel, typeof raise, lazily(x)]
  }
}

/** Not exported. */
class Hidden {
  value = 5
  show() {
    return `${this.value} ${unit}`
  }
}
export const makeHidden = () => new Hidden()
