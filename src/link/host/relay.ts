/** Hands on to the processes of this host what one of them gets from elsewhere. */
import type { CandidateEvents, Relay, RelayEvents } from '../ports.js';
import type { HostLinkOptions } from './follow.js';
import { HostCandidate } from './lead.js';

/**
 * Stands for handing on to this host what comes from elsewhere: as a writer does, but the snapshots come with numbers of their own, so
 * there are no epochs of the host's, and a grant's is 0. One process of the host has the role.
 *
 * @example
 * const relay = relayHost({
 *   place: hostPlace(), key: 'flags@redis', prefers: false, onSnapshot: show, onAsked: () => follower.poke(), onPreferred: () => relay.release(),
 *   onGranted: () => follower.resume(),
 * });
 */
export function relayHost(options: HostLinkOptions & CandidateEvents & RelayEvents): Relay {
  return new HostCandidate(options, options);
}
