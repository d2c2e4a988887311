/** A local module in CommonJS. */
// @ts-nocheck: see cases/

const factor = 1

exports.area = (w, h) => w * h * factor
exports.half = function half(x) {
  return x / 2
}
exports.Point = class Point {
  constructor(x, y) {
    this.x = x
    this.y = y
  }
  get length() {
    return Math.hypot(this.x, this.y)
  }
}
