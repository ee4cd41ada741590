/** Figures as text: short, and of a width that doesn't jump. */
export const FORMAT: string = String.raw`
const NONE = '–';
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** @param {number} value */
const count = (value) => (value < 100_000 ? whole.format(value) : short.format(value));

/** @param {number} value a second */
const rate = (value) => (value === 0 ? '0' : value < 10 ? value.toFixed(1) : value < 10_000 ? whole.format(value) : short.format(value));

/** @param {number} value @param {string} one @param {string} [many] */
const plural = (value, one, many) => count(value) + ' ' + (value === 1 ? one : many || one + 's');

/** Only what is 100 % is called that. @param {number} value */
const percent = (value) => {
  if (value < 0) return NONE;
  if (value === 0 || value === 100) return value + ' %';
  return (value < 99.9 ? value.toFixed(1) : (Math.floor(value * 100) / 100).toFixed(2)) + ' %';
};

/** A duration. @param {number | undefined | null} seconds */
function span(seconds) {
  if (seconds === undefined || seconds === null) return NONE;
  const s = Math.max(0, seconds);
  if (s === 0) return '0 ms';
  if (s < 0.0001) return Math.max(1, Math.round(s * 1e6)) + ' µs';
  if (s < 0.01) return (s * 1000).toFixed(1) + ' ms';
  if (s < 1) return Math.round(s * 1000) + ' ms';
  if (s < 10) return s.toFixed(1) + ' s';
  if (s < 60) return Math.floor(s) + ' s';
  if (s < 3600) return Math.floor(s / 60) + ':' + String(Math.floor(s % 60)).padStart(2, '0') + ' min';
  if (s < 172_800) return Math.floor(s / 3600) + ':' + String(Math.floor((s % 3600) / 60)).padStart(2, '0') + ' h';
  return Math.floor(s / 86_400) + ' days';
}

/** What somebody wrote into an option. @param {number | undefined | null} seconds */
const life = (seconds) => (seconds === undefined || seconds === null ? 'for ever' : span(seconds).replace(':00', ''));

/** An age: as a span, but in tenths of a second at first, since it ticks. @param {number | undefined | null} seconds */
const age = (seconds) =>
  seconds === undefined || seconds === null ? NONE : seconds < 10 ? Math.max(0, seconds).toFixed(1) + ' s' : span(seconds);

/** @param {number} value */
const bytes = (value) => {
  const mb = value / 1048576;
  return mb < 10 ? mb.toFixed(1) + ' MB' : mb < 10_000 ? whole.format(mb) + ' MB' : (mb / 1024).toFixed(1) + ' GB';
};

/** @param {number | undefined | null} seconds Unix time */
const clock = (seconds) => (seconds ? new Date(seconds * 1000).toLocaleTimeString('en-GB') : NONE);
`;
