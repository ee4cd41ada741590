// @ts-check
import protobuf from 'protobufjs';
import { serializers } from '../../dist/index.js';

/** One value for all: what every language and every serializer has a word for. */
export const value = {
  id: 42,
  name: 'Ada Lovelace',
  ratio: 0.5,
  tags: ['é', '😀', ''],
  none: null,
  yes: true,
  nested: { deep: [1, -2, 3_000_000] },
};

const schema = `
  syntax = "proto3";
  message User { int32 id = 1; string name = 2; double ratio = 3; repeated string tags = 4; bool yes = 5; Nested nested = 6; bytes raw = 7; }
  message Nested { repeated sint32 deep = 1; }
`;

export const User = protobuf.parse(schema).root.lookupType('User');

/** The part of it that the message has. */
export const message = { id: 42, name: value.name, ratio: 0.5, tags: value.tags, yes: true, nested: value.nested };

/**
 * Each serializer, with what it is given here.
 *
 * @type {Readonly<Record<string, { serializer: import('../../dist/index.js').Serializer; value: object }>>}
 */
export const subjects = {
  json: { serializer: serializers.json, value },
  v8: { serializer: serializers.v8, value },
  msgpack: { serializer: serializers.msgpack, value },
  protobuf: { serializer: serializers.protobuf(User), value: message },
};

/**
 * What came back, as plain data: a message of protobufjs is an instance of its type.
 *
 * @param {unknown} loaded
 * @returns {unknown}
 */
export const plain = (loaded) => JSON.parse(JSON.stringify(loaded));
