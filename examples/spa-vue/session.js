// A composable: who is signed in, as something Vue can watch.
import { readonly, ref } from "vue";

/** Follows the session of *client* and deals with the answer of a login; *onSignedIn* hears where the person wanted to go. */
export function useSession(client, onSignedIn = () => {}) {
  const [status, user, problem] = [ref("loading"), ref(null), ref(null)];
  const see = (who) => {
    user.value = who;
    status.value = who ? "signedIn" : "signedOut";
  };
  client.on("signedin", see);
  client.on("signedout", () => see(null));
  client
    .handleCallback()
    .then((back) => back && onSignedIn(back))
    .catch((refused) => (problem.value = refused.code))
    .then(async () => see(await client.user()));
  return { status: readonly(status), user: readonly(user), problem: readonly(problem) };
}
