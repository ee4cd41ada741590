/** What is used of it: the package has no types of its own. */
declare module 'autocannon' {
  interface Instance {
    on(event: 'response', listener: () => void): this;
    then: Promise<{ errors: number; timeouts: number; non2xx: number }>['then'];
  }
  export default function autocannon(options: { url: string; connections: number; duration: number }): Instance;
}
