/** Stacks of errors: where the user's code stands, as they would have it here. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { call, feature, rejected } from '../case.mjs'

/** Innermost first: file, line and column of the frames in the file of the cases. */
const places = (stack) => [...String(stack).matchAll(/stacks\.[cm]?[jt]s(?:\?[^:]*)?:\d+:\d+/g)].map(([place]) => place.replace(/\?[^:]*/, ''))

const samePlaces = async (fn, count) => {
  let here
  try {
    await fn()
  } catch (error) {
    here = places(error.stack)
  }
  const { stack } = await rejected(call(fn))
  assert.deepEqual(places(stack).slice(0, count), here.slice(0, count), stack)
}

const helper = (x) => {
  if (x === undefined) throw new RangeError('thrown by a helper')
  return x
}

class Thrower {
  #fail() {
    throw new TypeError('thrown by a class')
  }
  run() {
    return this.#fail()
  }
  static run = () => new Thrower().run()
}

feature(
  'the stack of the function',
  () =>
    samePlaces(() => {
      const nothing = undefined
      return nothing.x
    }, 1),
  ['apart'],
)

feature('the stack through a helper', () => samePlaces(() => [helper(), 1], 2), ['apart'])

feature('the stack through a class', () => samePlaces(() => new Thrower().run(), 3), ['apart'])

feature(
  'the stack after an await',
  () =>
    samePlaces(async () => {
      await null
      helper()
    }, 2),
  ['apart'],
)

feature(
  'the stack of a function inside of the function',
  () =>
    samePlaces(() => {
      const inner = () => {
        throw new Error('inner')
      }
      return [1].map(() => inner())
    }, 2),
  ['apart'],
)

feature('the stack of a method', () => {
  const object = {
    fails() {
      return JSON.parse('{')
    },
  }
  return samePlaces(object.fails, 1)
}, ['apart'])
