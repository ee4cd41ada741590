/**
 * Every error that the library throws on purpose. Wrong options are the exception: they throw a `TypeError` or a
 * `RangeError` at the call that got them (see `options.ts`). No message holds a cached value or a credential.
 */

const BRAND = Symbol.for('advanced-caching.error');

/** What every error of this library has: a stable `code`, and a `cause` where there is one. */
export class AdvancedCachingError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }

  /** True for an error of this library, also when it comes from another copy of the package. */
  static is(value: unknown): value is AdvancedCachingError {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}
Object.defineProperty(AdvancedCachingError.prototype, BRAND, { value: true });

/** A key template that can't be resolved, or a call whose arguments don't fill it. */
export class KeyTemplateError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_KEY_TEMPLATE', message, options);
  }
}

/** A second writer for a key in one process. */
export class DuplicateWriterError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_DUPLICATE_WRITER', message, options);
  }
}

/** A value that its serializer can't turn into bytes, or bytes that it can't turn into a value. */
export class SerializationError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_SERIALIZATION', message, options);
  }
}

/** Bytes that aren't what they should be: corrupt, truncated, foreign, of a newer layout, or too large. */
export class WireFormatError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_WIRE_FORMAT', message, options);
  }
}

/** A snapshot larger than the writer's or the reader's `maxBytes`. */
export class SnapshotTooLargeError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_SNAPSHOT_TOO_LARGE', message, options);
  }
}

/** A value that the writer's `validate` refused, or a loader's `undefined`. */
export class ValidationError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_VALIDATION', message, options);
  }
}

/** A store that failed or can't do what was asked. */
export class StoreError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_STORE', message, options);
  }
}

/** A mirror used after `close()`, or a wait that `close()` ended. */
export class MirrorClosedError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_MIRROR_CLOSED', message, options);
  }
}

/** A read of a value older than the mirror's `ttl`, where `onStale` is `'throw'`. */
export class StaleError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_STALE', message, options);
  }
}

/** A look through a view of a keyed mirror whose version's bytes are overwritten by now. */
export class ViewExpiredError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_VIEW_EXPIRED', message, options);
  }
}

/** Something took longer than it may. */
export class TimeoutError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TIMEOUT', message, options);
  }
}

/** Something asked of a schedule that was stopped. */
export class StoppedError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_STOPPED', message, options);
  }
}

/** The shared memory, or a thread of the library, is in a state that the protocol forbids. */
export class ProtocolError extends AdvancedCachingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_PROTOCOL', message, options);
  }
}

/** An optional package that isn't installed; the message has the command that installs it. */
export class MissingDependencyError extends AdvancedCachingError {
  /** The package's name. */
  readonly dependency: string;

  constructor(dependency: string, feature: string, options?: ErrorOptions) {
    super(
      'ERR_MISSING_DEPENDENCY',
      `${feature} needs the package \`${dependency}\`, which isn't installed: npm install ${dependency}`,
      options,
    );
    this.dependency = dependency;
  }
}
