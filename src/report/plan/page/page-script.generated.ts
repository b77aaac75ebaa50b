// Made from page-script.ts by `npm run build`; not to be edited.

/** The script of a plan's page. */
export const pageScript =
  "(function(){let e=[[/[\\p{M}\\p{Cf}]/u,0],[/[\\p{Extended_Pictographic}\\p{Regional_Indicator}" +
  "]/u,1.4],[/[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60" +
  "]/u,1.05],[/[\\u{1f000}-\\u{3ffff}]/u,1.4],[/[ijlI.,:;!|'` ·]/,.4],[/[ftr()[\\]{}/\\\\\"-]/,.47]" +
  ",[/[mwMWOQ@%…—]/,1],[/[A-Z+=<>±×−→~#]/,.84],[/[a-z0-9]/,.64]];function t(e,t){let r=0;for(" +
  "let t of e)r+=n(t);return r*t}function n(t){return e.find(([e])=>e.test(t))?.[1]??.8}funct" +
  "ion r(e){let t=[];for(let r of e){let e=t.at(-1);e!==void 0&&(n(r)===0||e.endsWith(`‍`))?t" +
  "[t.length-1]=e+r:t.push(r)}return t}function i(e,n,i){if(t(e,i)<=n)return e;let a=r(e);for" +
  "(let e=a.length-1;e>0;e--){let r=e>>1,o=a.slice(a.length-(e-r)),s=`${a.slice(0,r).join(``)" +
  "}…${o.join(``)}`;if(t(s,i)<=n)return s}return`…`}function a(e,t,n,r){let a=o(e,t,n);if(a.l" +
  "ength<=r)return a;for(let a=r;a>0;a-=.1){let s=o(i(e,a*t,n),t,n);if(s.length<=r)return s}r" +
  "eturn a.slice(0,r)}function o(e,n,i){let a=[],o=``;for(let s of r(e)){if(o!==``&&t(o+s,i)>" +
  "n){let e=Math.max(o.lastIndexOf(` `),o.lastIndexOf(`-`),o.lastIndexOf(`/`))+1,t=2*e>o.leng" +
  "th?e:o.length;a.push(o.slice(0,t).trim()),o=o.slice(t).trimStart()}o+=s}return o.trim()===" +
  "``?a:[...a,o.trim()]}function s(e){return Math.ceil(1.25*e)+3}function c(e,{width:n,fontSi" +
  "ze:r,indent:i}){let o=s(r),c=[],[l,u,d]=[0,0,0];for(let s of e){let e=a(s,n-i,r,3),f=i+Mat" +
  "h.max(0,...e.map(e=>t(e,r)));l>0&&l+f>n&&(l=0,u+=d,d=0),c.push({x:l+i,y:u+o-4,lines:e}),d=" +
  "Math.max(d,o*e.length),l+=f+14}return{placed:c,height:u+d}}function l(e){return e.replaceA" +
  "ll(`&`,`&amp;`).replaceAll(`<`,`&lt;`).replaceAll(`>`,`&gt;`).replaceAll(`\"`,`&quot;`)}fun" +
  "ction u(e,t,n=[]){return`<${e}${Object.entries(t).filter(([,e])=>e!==void 0).map(([e,t])=>" +
  "` ${e}=\"${d(t)}\"`).join(``)}>${n.join(``)}</${e}>`}function d(e){return typeof e==`number`" +
  "?String(Math.round(e*100)/100):l(e)}function f({y:e},{width:n,top:r,plotHeight:i,fontSize:" +
  "a}){let o=Math.max(0,...e.ticks.map(({label:e})=>t(e,a))),c=r+g(e,n,a).length*s(a)+a/2;ret" +
  "urn{left:Math.min(Math.max(40,Math.ceil(o)+12),n/3),right:n-14,top:c,bottom:c+i}}function " +
  "p({x:e,y:t},{width:n,top:r,fontSize:i},a){let o=s(i),c=a.bottom+i+8,d=[...m(e,a,c,i),...h(" +
  "t,a,i)];for(let[e,a]of g(t,n,i).entries()){let t={class:`title`,x:2,y:r+i+e*o};d.push(u(`t" +
  "ext`,t,[l(a)]))}let f=g(e,n-14,i);for(let[e,t]of f.entries()){let n={class:`title`,x:a.rig" +
  "ht,y:c+2+(e+1)*o};d.push(u(`text`,{...n,\"text-anchor\":`end`},[l(t)]))}return{content:d.joi" +
  "n(``),bottom:c+2+f.length*o+i/2}}function m({ticks:e},{left:n,right:r,top:i,bottom:a},o,s)" +
  "{let c=[],d=0;for(let{at:f,label:p}of e){let e=n+f*(r-n),m=t(p,s)/2;if(c.push(u(`line`,{cl" +
  "ass:`grid`,x1:e,x2:e,y1:i,y2:a})),e-m<d||e+m>r+14)continue;let h={class:`tick`,x:e,y:o,\"te" +
  "xt-anchor\":`middle`};c.push(u(`text`,h,[l(p)])),d=e+m+8}return c}function h({ticks:e},{lef" +
  "t:t,right:n,top:r,bottom:i},a){let o=[],s=NaN;for(let{at:c,label:d}of e){let e=i+c*(r-i);i" +
  "f(o.push(u(`line`,{class:`grid`,x1:t,x2:n,y1:e,y2:e})),Math.abs(e-s)<1.3*a)continue;let f=" +
  "{class:`tick`,x:t-8,y:e+a/3,\"text-anchor\":`end`};o.push(u(`text`,f,[l(d)])),s=e}return o}f" +
  "unction g({title:e,note:n},r,i){let o=r-4,s=n?`${e} (${n})`:e;return t(s,i)<=o?[s]:a(e,o,i" +
  ",3)}function ee(e){let t=[];for(let[n,r]of e.slice(0,-1).entries()){let i=_(r,e[n+1]??r);i" +
  "f(!i)continue;let[a,o]=i,s=t.at(-1),c=s?.at(-1);c&&c[0]===a[0]&&c[1]===a[1]?s?.push(o):t.p" +
  "ush([a,o])}return t}function _(e,t){let[n,r]=[0,1];for(let i of[0,1]){let a=t[i]-e[i];if(a" +
  "===0&&(e[i]<0||e[i]>1))return null;if(a===0)continue;let o=[-e[i]/a,(1-e[i])/a];n=Math.max" +
  "(n,Math.min(...o)),r=Math.min(r,Math.max(...o))}if(!(n<=r))return null;let i=n=>n===0?e:n=" +
  "==1?t:[e[0]+n*(t[0]-e[0]),e[1]+n*(t[1]-e[1])];return[i(n),i(r)]}function v([e,t]){let n=[M" +
  "ath.max(0,e),Math.min(1,t)];return n[0]<=n[1]?n:null}function y(e){return Math.min(1,Math." +
  "max(0,e))}function te({left:e,right:t,top:n,bottom:r}){return{x:n=>e+n*(t-e),y:e=>r+e*(n-r" +
  ")}}function ne(e,{x:t,y:n}){let[r,i]=b(e);return[t(y(e.x))-15*r,n(y(e.y))+15*i]}function b" +
  "({x:e,y:t}){let n=e=>e<0?-1:+(e>1);return[n(e),n(t)]}function re(e,t){let[n,r]=ne(e,t),[i," +
  "a]=b(e),o=[u(`title`,{},[l(e.title)])];if(i!==0||a!==0){let e=Math.round(Math.atan2(-i||0," +
  "-a)*180/Math.PI);o.push(u(`path`,{class:`arrow`,d:`M0 5V13M-3 10L0 13L3 10`,transform:`rot" +
  "ate(${e})`}))}else o.push(...ie(e,t,n,r));return o.push(u(`path`,{class:`mark`,d:se(e.shap" +
  "e,5.5)})),u(`g`,{class:`point ${e.colour}${e.faded?` faded`:``}${e.near?` near`:``}`,\"data" +
  "-point\":e.id,transform:`translate(${n.toFixed(1)} ${r.toFixed(1)})`},o)}function ie({whisk" +
  "er:e,across:t},{x:n,y:r},i,a){let o=e=>u(`path`,{class:`whisker`,d:e}),s=e&&v(e),c=t&&v(t)" +
  ";return[...e&&s?[o(ae(s.map(e=>r(e)-a),e,(e,t)=>`${e} ${t}`))]:[],...t&&c?[o(ae(c.map(e=>n" +
  "(e)-i),t,(e,t)=>`${t} ${e}`))]:[]]}function ae(e,t,n){let[r=`0`,i=`0`]=e.map(e=>e.toFixed(" +
  "1)),a=e=>`M${n(`-3`,e)}L${n(`3`,e)}`;return(t[0]>=0?a(r):``)+(t[1]<=1?a(i):``)+`M${n(`0`,r" +
  ")}L${n(`0`,i)}`}function oe({kind:e,colour:t,faded:n,places:r},{x:i,y:a}){let o=`${e} ${t}" +
  "${n?` faded`:``}`.trim(),s=e=>e.map(([e,t])=>`${i(e).toFixed(1)},${a(t).toFixed(1)}`).join" +
  "(` `);return e===`band`?[u(`polygon`,{class:o,points:s(r.map(([e,t])=>[y(e),y(t)]))})]:ee(" +
  "r).map(e=>u(`polyline`,{class:o,points:s(e)}))}function se(e,t){let n=(e,t,n)=>`M${Array.f" +
  "rom({length:e},(r,i)=>{let a=n+2*Math.PI*i/e;return`${(t*Math.sin(a)).toFixed(2)} ${(-t*Ma" +
  "th.cos(a)).toFixed(2)}`}).join(`L`)}Z`,r=t,[i,a]=[1.25*r,.42*r];switch(e){case`circle`:ret" +
  "urn`M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;case`square`:return n(4,1.27" +
  "*r,Math.PI/4);case`triangle`:return n(3,1.45*r,0);case`diamond`:return n(4,1.35*r,0);case`" +
  "down`:return n(3,1.45*r,Math.PI);case`pentagon`:return n(5,1.2*r,0);case`plus`:return`M${-" +
  "a} ${-i}H${a}V${-a}H${i}V${a}H${a}V${i}H${-a}V${a}H${-i}V${-a}H${-a}Z`;case`star`:return`M" +
  "${Array.from({length:10},(e,t)=>{let n=(t%2==0?1.5:.75)*r,i=Math.PI*t/5;return`${(n*Math.s" +
  "in(i)).toFixed(2)} ${(-n*Math.cos(i)).toFixed(2)}`}).join(`L`)}Z`}}function ce(e,n,r,i){le" +
  "t a={marks:e.map(({x:e,y:t})=>me(e,t,6)),inked:n.flatMap(he).map(([e,t])=>me(e,t,2.5)),fra" +
  "me:r},o=e.filter(({label:e})=>e!==null).length,s=le(e,a,i),c=2*s.size<o?/* @__PURE__ */ ne" +
  "w Map:s,l=e.map((e,t)=>({...e,index:t})).filter(({label:e,index:t})=>e!==null&&!c.has(t))." +
  "sort((e,t)=>e.x-t.x),u=e=>t(e,i.fontSize),d=[...c].map(([t,n])=>S(n,u(e[t]?.label??``),i.f" +
  "ontSize)),f=/* @__PURE__ */ new Map;for(let[e,{x:t,y:n,index:o}]of l.entries()){let s=Stri" +
  "ng(e+1),c=ue({x:t,y:n,index:o},u(s),pe(t,n,i,r),{...a,boxes:d,fontSize:i.fontSize});c&&(d." +
  "push(S(c,u(s),i.fontSize)),f.set(o,{text:s,place:c,numbered:!0}))}return e.map(({label:e}," +
  "t)=>{let n=c.get(t);return n&&e!==null?{text:e,place:n,numbered:!1}:f.get(t)??null})}funct" +
  "ion le(e,n,r){let{fontSize:i}=r,a=.55*(n.frame.right-n.frame.left),o=e.map(({label:e})=>e=" +
  "==null?1/0:t(e,i)),s=[...e.keys()].filter(e=>(o[e]??1/0)<=a),c=/* @__PURE__ */ new Map;for" +
  "(let t=0;t<4;t++){let a=/* @__PURE__ */ new Map,l=[];for(let t of s){let[s,c]=[e[t],o[t]];" +
  "if(!s||c===void 0)continue;let{x:u,y:d}=s,f=fe(u,d,r),p=ue({x:u,y:d,index:t},c,f,{...n,box" +
  "es:l,fontSize:i});p&&(l.push(S(p,c,i)),a.set(t,p))}(t===0||a.size>c.size)&&(c=a);let u=s.f" +
  "ilter(e=>!a.has(e));if(u.length===0)break;s=[...u,...s.filter(e=>a.has(e))]}return c}funct" +
  "ion ue({x:e,y:t,index:n},r,i,a){let{marks:o,inked:s,frame:c,boxes:l,fontSize:u}=a,d=o.filt" +
  "er((r,i)=>i!==n&&(r.left!==e-6||r.top!==t-6)),f=null;for(let{place:n,cost:a}of i){if(f&&a>" +
  "=f.cost)continue;let i=S(n,r,u);if(x({...i,left:i.left-8,right:i.right+8},l)>0||ge(i,c)<ge" +
  "(i,i)-1)continue;let o=x(i,d);if(o>72)continue;let p=de(e,t,n,u).reduce((e,[t,n])=>e+Math." +
  "min(1,x(me(t,n,.5),[...l,...d])),0),m=a+o+2*x(i,s)+12*p;(!f||m<f.cost)&&(f={place:n,cost:m" +
  "})}return f?.place??null}function de(e,t,n,r){let i=n.y-r/3;return Math.hypot(n.x-e,i-t)<1" +
  "8?[]:he([[e,t],[n.x,i]])}function fe(e,t,{fontSize:n,side:r,reach:i}){let a=t+n/3,o=[];for" +
  "(let t=-i;t<=i;t+=4){let n=t>0?30:0,i=1.2*Math.abs(t);for(let s of[`start`,`end`,`middle`]" +
  "){if(s===`middle`&&Math.abs(t)<16)continue;let c=s===(r===`left`?`end`:`start`)?0:s===`mid" +
  "dle`?12:40,l=s===`start`?9:s===`end`?-9:0,u=i+c+n;o.push({place:{x:e+l,y:a+t,anchor:s},cos" +
  "t:u})}}return o}function pe(e,t,{fontSize:n},{left:r,right:i,top:a,bottom:o}){let s=[],c=M" +
  "ath.hypot(i-r,o-a);for(let r=13;r<c;r+=r<24?4:10){let i=Math.ceil(8+r/8);for(let a=0;a<i;a" +
  "++){let o=2*Math.PI*a/i,c={x:e+r*Math.sin(o),y:t-r*Math.cos(o)+n/3,anchor:`middle`};s.push" +
  "({place:c,cost:3*r+10*(1-Math.cos(o))})}}return s}function me(e,t,n){return{left:e-n,right" +
  ":e+n,top:t-n,bottom:t+n}}function he(e){return e.flatMap(([t,n],r)=>{let[i,a]=e[r+1]??[t,n" +
  "],o=Math.max(1,Math.ceil(Math.hypot(i-t,a-n)/5));return Array.from({length:o},(e,r)=>[t+(i" +
  "-t)*r/o,n+(a-n)*r/o])})}function x(e,t){let n=0;for(let r of t)n+=ge(e,r);return n}functio" +
  "n S({x:e,y:t,anchor:n},r,i){let a=n===`start`?e:n===`end`?e-r:e-r/2;return{left:a,right:a+" +
  "r,top:t-i,bottom:t+.32*i}}function ge(e,t){return e.left>=t.right||t.left>=e.right||e.top>" +
  "=t.bottom||t.top>=e.bottom?0:(Math.min(e.right,t.right)-Math.max(e.left,t.left))*(Math.min" +
  "(e.bottom,t.bottom)-Math.max(e.top,t.top))}function _e({points:e,lines:t,side:n},{width:r," +
  "fontSize:i,labelReach:a},o,s){let c=te(o),d=[...e].sort((e,t)=>Number(e.faded)-Number(t.fa" +
  "ded)),f=d.map(e=>{let[t,n]=ne(e,c);return{x:t,y:n,label:e.label}}),p=t.filter(({kind:e})=>" +
  "e!==`band`).flatMap(e=>ee(e.places)),m=d.flatMap(({x:e,whisker:t})=>t?ee(t.map(t=>[e,t])):" +
  "[]),h=ce(f,[...p,...m].map(e=>e.map(([e,t])=>[c.x(e),c.y(t)])),o,{fontSize:i,side:n,reach:" +
  "a}),[g,_]=[[],[]],v=[],y=0;for(let[e,t]of d.entries()){let n=h[e],r=f[e];if(t.label===null" +
  "||!r)continue;if(!n){y++;continue}let{place:a,text:o,numbered:s}=n;s&&v.push({number:o,poi" +
  "nt:t});let c=a.y-i/3,d={class:`leader`,x1:r.x,y1:r.y,x2:a.x,y2:c};Math.hypot(a.x-r.x,c-r.y" +
  ")>=18&&g.push(u(`line`,d));let p={class:ve(t),x:a.x,y:a.y};_.push(u(`text`,{...p,\"text-anc" +
  "hor\":a.anchor,\"data-point\":t.id},[l(o)]))}v.sort((e,t)=>Number(e.number)-Number(t.number))" +
  ";let b=ye(v,y,{below:s,width:r,fontSize:i});return{content:[...g,..._,b.content].join(``)," +
  "bottom:b.bottom}}function ve({faded:e}){return e?`label off`:`label`}function ye(e,n,{belo" +
  "w:r,width:i,fontSize:a}){if(e.length+n===0)return{content:``,bottom:r};let o=n>0?[`and ${n" +
  "} more`]:[],d=Math.max(0,...e.map(({number:e})=>t(e,a))),{placed:f,height:p}=c([...e.map((" +
  "{point:e})=>e.label??``),...o],{width:i-4,fontSize:a,indent:d+6});return{content:f.flatMap" +
  "(({x:t,y:n,lines:i},o)=>{let{number:c,point:d}=e[o]??{},f=d===void 0?{}:{\"data-point\":d.id" +
  "},p=(e,t,i,o)=>u(`text`,{class:`listed`,x:2+t,y:r+n+i*s(a),\"text-anchor\":o,...f},[l(e)]);r" +
  "eturn[...c===void 0?[]:[p(c,t-6,0,`end`)],...i.map((e,n)=>p(e,t,n))]}).join(``),bottom:r+p" +
  "+4}}function be(e,t){let n=f(e,t),r=te(n),i=[...e.points].sort((e,t)=>Number(t.faded)-Numb" +
  "er(e.faded)),a=p(e,t,n),o=_e({...e,points:i},t,n,a.bottom);return{content:[a.content,...e." +
  "lines.flatMap(e=>oe(e,r)),...i.map(e=>re(e,r)),o.content].join(``),height:Math.ceil(o.bott" +
  "om)}}function C(e,t=3){if(!Number.isFinite(e))return Number.isNaN(e)?`NaN`:e<0?`-∞`:`∞`;if" +
  "(e===0)return`0`;let n=Math.abs(e);return n<1e-4||n>=1e9?e.toExponential(t-1):e.toFixed(xe" +
  "(n,t))}function xe(e,t){let n=Number(e.toExponential(t-1).split(`e`)[1]);return Math.max(0" +
  ",t-1-n)}function w(e){return e<1e3?`${e} B`:T(e)<1e5?`${C(e/1e3)} kB`:T(e)<1e9?`${C(e/1e6)" +
  "} MB`:T(e)<0xe8d4a51000?`${C(e/1e9)} GB`:`${C(e/0xe8d4a51000)} TB`}function Se(e){if(e<1e4" +
  ")return`${e}`;let t=T(e);return t<1e6?`${C(e/1e3)} k`:t<1e9?`${C(e/1e6)} M`:`${C(e/1e9)} B" +
  "`}function T(e){return Number(e.toPrecision(3))}function Ce(e){return e.toFixed(2)}functio" +
  "n we(e){return e.replace(/\\.(\\d*?)0+(?!\\d)/,(e,t)=>t?`.${t}`:``)}function Te(e){return e>=" +
  ".9995?`${C(e)} J`:e>=9995e-7?`${C(1e3*e)} mJ`:`${C(1e6*e)} µJ`}function Ee(e){return e<1e9" +
  "?`${C(e/1e6)} M`:`${C(e/1e9)} G`}function De({shape:e},t,n){let{stored:r,memory:i,token:a," +
  "speeds:o,fit:s,machine:c}=n,l=t.context>e.contextLength?`, more than it was made for`:``;r" +
  "eturn{context:`${t.context} tokens${l}`,size:w(r.all),bits:`${n.scheme}: ${Ce(r.bitsPerWei" +
  "ght.linear)} bits a weight, ${Ce(r.bitsPerWeight.all)} over all`,memory:w(i.all),memoryPar" +
  "ts:`weights ${w(i.weights)}, keys and values ${w(i.kvCache)}, the rest ${w(i.work+i.progra" +
  "m)}`,fit:s.fits?`fits in the ${w(c.memoryBytes)} of the machine`:`does not fit in the ${w(" +
  "c.memoryBytes)} of the machine`,speed:o?C(o.decode):`not timed`,basis:c.basis===`table`?`p" +
  "redicted from timed kernels; prompt ${o?C(o.prompt):`–`} tokens a second`:`at most, by ${c" +
  ".basis}; prompt ${o?C(o.prompt):`–`}`,energy:Te(a.joules),moved:`${w(a.bytes)} read, ${Ee(" +
  "a.operations)} operations a token`,largestContext:s.largestContext===0?`none`:`${Se(s.larg" +
  "estContext)} tokens`,largestModel:`${Se(s.largestParameters)} parameters`,source:`${c.titl" +
  "e}: ${C(c.limits.bytesPerSecond/1e9)} GB/s, ${C(c.limits.operationsPerSecond/0xe8d4a51000)" +
  "} TFLOP/s. ${c.source}`}}let Oe={\"45nm\":{int8:.2+.1,float32:3.7+.9},\"7nm\":{int8:.1,float32" +
  ":1.69}},ke={ddr:1300/8,gddr6:415/8,hbm2:350/8};function Ae({bytes:e,integerProducts:t,floa" +
  "tProducts:n},{arithmetic:r,memory:i}){let{int8:a,float32:o}=Oe[r];return 1e-12*(e*ke[i]+t*" +
  "a+n*o)}var je=class extends Error{code;hint;field;value;constructor(e,t,n={}){super(t,n),t" +
  "his.name=new.target.name,this.code=e,this.hint=n.hint,this.field=n.field,this.value=n.valu" +
  "e}};function Me(e){return class extends je{constructor(t,n){super(e,t,n)}}}var E=class ext" +
  "ends Me(`SHAPE`){},D=class extends Me(`SCHEME`){},Ne=class extends Me(`USAGE`){};new Uint3" +
  "2Array((/* @__PURE__ */ new Float32Array(1)).buffer);function Pe(e){let t=e&32768?-1:1,n=e" +
  ">>>10&31,r=e&1023;return n===0?t*r*2**-24:n===31?r?NaN:t*(1/0):t*(1+r/1024)*2**(n-15)}let " +
  "O;function Fe(){if(O)return O;O=/* @__PURE__ */ new Float32Array(65536);for(let e=0;e<6553" +
  "6;e++)O[e]=Pe(e);return O}function k(e,t=new Float32Array(e.length)){let n=Fe();for(let r=" +
  "0;r<e.length;r++)t[r]=n[e[r]];return t}function Ie(e){let t=0;for(let n=0;n<e.length;n++)t" +
  "+=e[n];return t}function Le({columns:e,groupColumns:t}){return e/t}function Re(e,t){let n=" +
  "t*Le(e);return{scales:new Uint16Array(t),offsets:e.offset===`none`?null:new Uint16Array(t)" +
  ",subScales:e.subScaleRange===null?null:new Int8Array(n),subOffsets:e.largestSubOffset===nu" +
  "ll?null:new Uint8Array(n)}}var ze=class{format;blocks;columns;codes;stored;scales;offsets;" +
  "constructor(e,t){this.format=e,this.blocks=t,this.columns=t*e.columns,this.codes=new Uint8" +
  "Array(this.columns),this.stored=Re(e,t),this.scales=new Float32Array(t),this.offsets=this." +
  "stored.offsets&&new Float32Array(t)}load(e,t){let{format:n,stored:r,offsets:i}=this;n.unpa" +
  "ck(e,t,this.blocks,this.codes,0,r,0),k(r.scales,this.scales),i&&r.offsets&&k(r.offsets,i)}" +
  "decode(e,t){let{codes:n,scales:r,offsets:i}=this,{origin:a,step:o,offset:s}=this.format;th" +
  "is.forEachGroup((c,l,u,d,f)=>{let p=r[c]*l;if(!i){for(let r=d;r<f;r++)e[t+r]=p*(a+o*n[r]);" +
  "return}let m=i[c]*(s===`subtracted`?-u:u);for(let r=d;r<f;r++)e[t+r]=p*(a+o*n[r])+m})}unit" +
  "s(e){let{codes:t}=this,{origin:n,step:r}=this.format;this.forEachGroup((i,a,o,s,c)=>{for(l" +
  "et i=s;i<c;i++)e[i]=a*(n+r*t[i])})}shifts(e){let t=this.format.offset===`subtracted`?-1:1;" +
  "this.forEachGroup((n,r,i,a,o)=>{e.fill(t*i,a,o)})}forEachGroup(e){let{format:t,stored:n,bl" +
  "ocks:r}=this,{subScales:i,subOffsets:a}=n,{groupColumns:o}=t,s=Le(t);for(let t=0;t<r*s;t++" +
  "){let n=i?i[t]:1,r=a?a[t]:1,c=t*o;e(Math.floor(t/s),n,r,c,c+o)}}};function Be({columns:e,b" +
  "ytes:t},n){return n/e*t}function Ve(e,t){let{codes:n,outFeatures:r,inFeatures:i}=t,a=r*i/e" +
  ".columns;Je(e,a,t),Xe(e,`code`,n,0,e.levels-1);let[o,s]=e.subScaleRange??[0,0];t.subScales" +
  "&&Xe(e,`sub-scale`,t.subScales,o,s);let c=e.largestSubOffset??0;t.subOffsets&&Xe(e,`sub-of" +
  "fset`,t.subOffsets,0,c);let l=new Uint8Array(a*e.bytes);return e.pack(n,0,t,0,a,l,0),l}fun" +
  "ction He(e,t){let n=t.length/e.bytes,r=new Uint8Array(n*e.columns),i=Re(e,1);for(let a=0;a" +
  "<n;a++)e.unpack(t,a*e.bytes,1,r,a*e.columns,i,0);return r}function Ue(e,t){let n=t.length/" +
  "e.bytes,r=Re(e,n),i=new Uint8Array(e.columns);for(let a=0;a<n;a++)e.unpack(t,a*e.bytes,1,i" +
  ",0,r,a);return r}function We(e,t,n=new Float32Array(t.length/e.bytes*e.columns)){let r=t.l" +
  "ength/e.bytes,i=r-r%16;return Ge(new ze(e,16),t,0,i/16,n),Ge(new ze(e,1),t,i,r-i,n),n}func" +
  "tion Ge(e,t,n,r,i){let{format:a,blocks:o,columns:s}=e;for(let c=0;c<r;c++)e.load(t,(n+c*o)" +
  "*a.bytes),e.decode(i,n*a.columns+c*s)}function Ke({bytes:e,scaleAt:t,offsetAt:n},r){let i=" +
  "r.length/e,a=new Uint16Array(i),o=n===null?null:new Uint16Array(i);for(let s=0;s<i;s++){le" +
  "t i=s*e;a[s]=r[i+t]|r[i+t+1]<<8,o&&n!==null&&(o[s]=r[i+n]|r[i+n+1]<<8)}return{scales:a,off" +
  "sets:o}}function qe({id:e,bytes:t,scaleAt:n,offsetAt:r},i,a,o){let s=i.slice(),c=(n,r,a)=>" +
  "{let o=i.length/t;if(r.length!==o)throw new E(`blocks of ${e}: expected ${o} ${n}, got ${r" +
  ".length}`);for(let e=0;e<r.length;e++)s[e*t+a]=r[e]&255,s[e*t+a+1]=r[e]>>8};if(c(`scales`," +
  "a,n),o&&r===null)throw new E(`blocks of ${e} have no offsets`);return o&&r!==null&&c(`offs" +
  "ets`,o,r),s}function Je(e,t,n){let r=Ye(e,t,t*Le(e));for(let[t,i]of Object.entries(r)){let" +
  " r=n[t]?.length??0;if(r!==i)throw new E(`blocks of ${e.id}: expected ${i} ${t}, got ${r}`)" +
  "}}function Ye(e,t,n){return{codes:t*e.columns,scales:t,offsets:e.offset===`none`?0:t,subSc" +
  "ales:e.subScaleRange===null?0:n,subOffsets:e.largestSubOffset===null?0:n}}function Xe({id:" +
  "e},t,n,r,i){for(let a=0;a<n.length;a++)if(!(n[a]>=r&&n[a]<=i))throw new D(`blocks of ${e}:" +
  " ${t} ${n[a]} at ${a} is not from ${r} to ${i}`)}function A(e,t){return{rule:`round`,low:e" +
  ",high:t,resolution:1,shift:0,lowSlope:e,highSlope:t,passOutside:!1}}function Ze({values:e," +
  "origin:t,step:n},r,i=0){return e?e[r]:t+n*(r-i)}function j(e,t){let n=Math.ceil(t/e.codesP" +
  "erUnit)*e.bytesPerUnit;return Math.ceil(n/4)*4}function Qe(e,t){for(let n=0;n<t.length;n++" +
  ")if(t[n]>=e.levels)throw new D(`packing ${e.packing}: code ${t[n]} at ${n} is not below ${" +
  "e.levels}`)}function $e(e,t){let n=e.toLowerCase(),r=null,i=Math.max(2,Math.floor(n.length" +
  "/3)),a=Math.min(i,n.length-1)+1;for(let e of t){if(Math.abs(n.length-e.length)>=a)continue" +
  ";let t=nt(n,e.toLowerCase());t>=a||(a=t,r=e)}if(r!==null||n.length<et)return r;let[o,...s]" +
  "=t.filter(e=>e.toLowerCase().startsWith(n));return s.length===0?o??null:null}let et=3;func" +
  "tion tt(e,t,n){let r=$e(e,t);return r===null?n:`did you mean ${r}?`}function nt(e,t){let n" +
  "=[],r=Array.from({length:t.length+1},(e,t)=>t);for(let i=1;i<=e.length;i++){let a=[i];for(" +
  "let o=1;o<=t.length;o++){let s=r[o-1]+(e[i-1]===t[o-1]?0:1);a[o]=Math.min(r[o]+1,a[o-1]+1," +
  "s),i>1&&o>1&&e[i-1]===t[o-2]&&e[i-2]===t[o-1]&&(a[o]=Math.min(a[o],n[o-2]+1))}n=r,r=a}retu" +
  "rn r[t.length]}let rt=[1,4,6,8];function it(e){return e?.mode===`static`||e?.mode===`integ" +
  "er`}function at(e){let{id:t,bits:n,levels:r,origin:i,step:a}=e;return Object.freeze({id:t," +
  "bits:n,levels:r,origin:i,step:a,zeroPoint:e.offset===`none`?`none`:`offset`,packing:null,s" +
  "caleRule:ot(e),training:null})}function ot({offset:e,levels:t}){return e===`none`?t===2?`m" +
  "ean`:`magnitude`:`range`}function M({unpackBlock:e,packBlock:t,...n}){let{columns:r,bytes:" +
  "i,scaleAt:a,offsetAt:o}=n;return Object.freeze({...n,unpack(t,n,s,c,l,u,d){for(let f=0;f<s" +
  ";f++){let s=n+f*i;u.scales[d+f]=st(t,s+a),u.offsets&&o!==null&&(u.offsets[d+f]=st(t,s+o))," +
  "e(t,s,c,l+f*r,u,d+f)}},pack(e,n,s,c,l,u,d){for(let f=0;f<l;f++){let l=d+f*i;ct(u,l+a,s.sca" +
  "les[c+f]),s.offsets&&o!==null&&ct(u,l+o,s.offsets[c+f]),t(e,n+f*r,s,c+f,u,l)}}})}let N={su" +
  "bScaleRange:null,largestSubOffset:null};function st(e,t){return e[t]|e[t+1]<<8}function ct" +
  "(e,t,n){e[t]=n&255,e[t+1]=n>>8}function P(e,t,n,r,i){for(let a=0;a<n;a++){let o=e[t+a];r[i" +
  "+a]=o&15,r[i+n+a]=o>>4}}function F(e,t,n,r,i){for(let a=0;a<n;a++)r[i+a]=e[t+a]&15|(e[t+n+" +
  "a]&15)<<4}let lt=M({id:`q1_0`,bits:1,columns:128,bytes:18,scaleAt:0,offsetAt:null,groupCol" +
  "umns:128,levels:2,origin:-1,step:2,offset:`none`,...N,unpackBlock:(e,t,n,r)=>{for(let i=0;" +
  "i<16;i++){let a=e[t+2+i];for(let e=0;e<8;e++)n[r+8*i+e]=a>>e&1}},packBlock:(e,t,n,r,i,a)=>" +
  "{for(let n=0;n<16;n++){let r=0;for(let i=0;i<8;i++)r|=e[t+8*n+i]<<i;i[a+2+n]=r}}}),ut=M({i" +
  "d:`q2_0`,bits:2,columns:64,bytes:18,scaleAt:0,offsetAt:null,groupColumns:64,levels:4,origi" +
  "n:-1,step:1,offset:`none`,...N,unpackBlock:(e,t,n,r)=>{for(let i=0;i<16;i++){let a=e[t+2+i" +
  "];for(let e=0;e<4;e++)n[r+4*i+e]=a>>2*e&3}},packBlock:(e,t,n,r,i,a)=>{for(let n=0;n<16;n++" +
  "){let r=0;for(let i=0;i<4;i++)r|=e[t+4*n+i]<<2*i;i[a+2+n]=r}}});function dt(e,t,n,r){for(l" +
  "et i=0;i<2;i++)for(let a=0;a<32;a++){let o=e[t+32*i+a],s=r+128*i+a;n[s]=o&3,n[s+32]=o>>2&3" +
  ",n[s+64]=o>>4&3,n[s+96]=o>>6}}function ft(e,t,n,r){for(let i=0;i<2;i++)for(let a=0;a<32;a+" +
  "+){let o=t+128*i+a;n[r+32*i+a]=e[o]&3|(e[o+32]&3)<<2|(e[o+64]&3)<<4|(e[o+96]&3)<<6}}let pt" +
  "=M({id:`q2_k`,bits:2,columns:256,bytes:84,scaleAt:80,offsetAt:82,groupColumns:16,levels:4," +
  "origin:0,step:1,offset:`subtracted`,subScaleRange:[0,15],largestSubOffset:15,unpackBlock:(" +
  "e,t,n,r,{subScales:i,subOffsets:a},o)=>{if(dt(e,t+16,n,r),i&&a)for(let n=0;n<16;n++)i[16*o" +
  "+n]=e[t+n]&15,a[16*o+n]=e[t+n]>>4},packBlock:(e,t,{subScales:n,subOffsets:r},i,a,o)=>{if(f" +
  "t(e,t,a,o+16),n&&r)for(let e=0;e<16;e++)a[o+e]=n[16*i+e]|r[16*i+e]<<4}}),mt=M({id:`q3_k`,b" +
  "its:3,columns:256,bytes:110,scaleAt:108,offsetAt:null,groupColumns:16,levels:8,origin:-4,s" +
  "tep:1,offset:`none`,subScaleRange:[-32,31],largestSubOffset:null,unpackBlock:(e,t,n,r,{sub" +
  "Scales:i},a)=>{dt(e,t+32,n,r);for(let i=0;i<32;i++){let a=e[t+i];for(let e=0;e<8;e++)n[r+3" +
  "2*e+i]|=(a>>e&1)<<2}if(i)for(let n=0;n<16;n++){let r=e[t+96+(n&7)]>>4*(n>>3)&15,o=e[t+104+" +
  "(n&3)]>>2*(n>>2)&3;i[16*a+n]=(r|o<<4)-32}},packBlock:(e,t,{subScales:n},r,i,a)=>{ft(e,t,i," +
  "a+32);for(let n=0;n<32;n++){let r=0;for(let i=0;i<8;i++)r|=e[t+32*i+n]>>2<<i;i[a+n]=r}if(n" +
  "){i.fill(0,a+96,a+108);for(let e=0;e<16;e++){let t=n[16*r+e]+32;i[a+96+(e&7)]|=(t&15)<<4*(" +
  "e>>3),i[a+104+(e&3)]|=t>>4<<2*(e>>2)}}}}),ht=M({id:`q4_0`,bits:4,columns:32,bytes:18,scale" +
  "At:0,offsetAt:null,groupColumns:32,levels:16,origin:-8,step:1,offset:`none`,...N,unpackBlo" +
  "ck:(e,t,n,r)=>P(e,t+2,16,n,r),packBlock:(e,t,n,r,i,a)=>F(e,t,16,i,a+2)}),gt=M({id:`q4_1`,b" +
  "its:4,columns:32,bytes:20,scaleAt:0,offsetAt:2,groupColumns:32,levels:16,origin:0,step:1,o" +
  "ffset:`added`,...N,unpackBlock:(e,t,n,r)=>P(e,t+4,16,n,r),packBlock:(e,t,n,r,i,a)=>F(e,t,1" +
  "6,i,a+4)});function _t(e,t,{subScales:n,subOffsets:r},i){if(!n||!r)return;let a=i*8;for(le" +
  "t i=0;i<4;i++){let o=e[t+i],s=e[t+4+i],c=e[t+8+i];n[a+i]=o&63,r[a+i]=s&63,n[a+4+i]=c&15|o>" +
  ">6<<4,r[a+4+i]=c>>4|s>>6<<4}}function vt({subScales:e,subOffsets:t},n,r,i){if(!e||!t)retur" +
  "n;let a=n*8;for(let n=0;n<4;n++){let o=e[a+4+n],s=t[a+4+n];r[i+n]=e[a+n]|o>>4<<6,r[i+4+n]=" +
  "t[a+n]|s>>4<<6,r[i+8+n]=o&15|(s&15)<<4}}let yt=M({id:`q4_k`,bits:4,columns:256,bytes:144,s" +
  "caleAt:0,offsetAt:2,groupColumns:32,levels:16,origin:0,step:1,offset:`subtracted`,subScale" +
  "Range:[0,63],largestSubOffset:63,unpackBlock:(e,t,n,r,i,a)=>{_t(e,t+4,i,a);for(let i=0;i<4" +
  ";i++)P(e,t+16+32*i,32,n,r+64*i)},packBlock:(e,t,n,r,i,a)=>{vt(n,r,i,a+4);for(let n=0;n<4;n" +
  "++)F(e,t+64*n,32,i,a+16+32*n)}});function bt(e,t,n,r){for(let i=0;i<32;i++)n[r+i]|=(e[t+(i" +
  ">>3)]>>(i&7)&1)<<4}function xt(e,t,n,r){for(let i=0;i<4;i++){let a=0;for(let n=0;n<8;n++)a" +
  "|=e[t+8*i+n]>>4<<n;n[r+i]=a}}let St=M({id:`q5_0`,bits:5,columns:32,bytes:22,scaleAt:0,offs" +
  "etAt:null,groupColumns:32,levels:32,origin:-16,step:1,offset:`none`,...N,unpackBlock:(e,t," +
  "n,r)=>{P(e,t+6,16,n,r),bt(e,t+2,n,r)},packBlock:(e,t,n,r,i,a)=>{F(e,t,16,i,a+6),xt(e,t,i,a" +
  "+2)}}),Ct=M({id:`q5_1`,bits:5,columns:32,bytes:24,scaleAt:0,offsetAt:2,groupColumns:32,lev" +
  "els:32,origin:0,step:1,offset:`added`,...N,unpackBlock:(e,t,n,r)=>{P(e,t+8,16,n,r),bt(e,t+" +
  "4,n,r)},packBlock:(e,t,n,r,i,a)=>{F(e,t,16,i,a+8),xt(e,t,i,a+4)}}),wt=M({id:`q5_k`,bits:5," +
  "columns:256,bytes:176,scaleAt:0,offsetAt:2,groupColumns:32,levels:32,origin:0,step:1,offse" +
  "t:`subtracted`,subScaleRange:[0,63],largestSubOffset:63,unpackBlock:(e,t,n,r,i,a)=>{_t(e,t" +
  "+4,i,a);for(let i=0;i<4;i++)P(e,t+48+32*i,32,n,r+64*i);for(let i=0;i<32;i++){let a=e[t+16+" +
  "i];for(let e=0;e<8;e++)n[r+32*e+i]|=(a>>e&1)<<4}},packBlock:(e,t,n,r,i,a)=>{vt(n,r,i,a+4);" +
  "for(let n=0;n<4;n++)F(e,t+64*n,32,i,a+48+32*n);for(let n=0;n<32;n++){let r=0;for(let i=0;i" +
  "<8;i++)r|=e[t+32*i+n]>>4<<i;i[a+16+n]=r}}}),Tt=M({id:`q6_k`,bits:6,columns:256,bytes:210,s" +
  "caleAt:208,offsetAt:null,groupColumns:16,levels:64,origin:-32,step:1,offset:`none`,subScal" +
  "eRange:[-128,127],largestSubOffset:null,unpackBlock:(e,t,n,r,{subScales:i},a)=>{for(let i=" +
  "0;i<2;i++){let a=t+64*i,o=r+128*i;for(let r=0;r<32;r++){let s=e[a+r],c=e[a+32+r],l=e[t+128" +
  "+32*i+r];n[o+r]=s&15|(l&3)<<4,n[o+32+r]=c&15|(l&12)<<2,n[o+64+r]=s>>4|l&48,n[o+96+r]=c>>4|" +
  "(l&192)>>2}}if(i)for(let n=0;n<16;n++)i[16*a+n]=e[t+192+n]},packBlock:(e,t,{subScales:n},r" +
  ",i,a)=>{for(let n=0;n<2;n++){let r=a+64*n,o=t+128*n;for(let t=0;t<32;t++){let[s,c]=[e[o+t]" +
  ",e[o+32+t]],[l,u]=[e[o+64+t],e[o+96+t]];i[r+t]=s&15|(l&15)<<4,i[r+32+t]=c&15|(u&15)<<4;let" +
  " d=s>>4|c>>4<<2|l>>4<<4|u>>4<<6;i[a+128+32*n+t]=d}}if(n)for(let e=0;e<16;e++)i[a+192+e]=n[" +
  "16*r+e]}}),Et=M({id:`q8_0`,bits:8,columns:32,bytes:34,scaleAt:0,offsetAt:null,groupColumns" +
  ":32,levels:256,origin:-128,step:1,offset:`none`,...N,unpackBlock:(e,t,n,r)=>{for(let i=0;i" +
  "<32;i++)n[r+i]=e[t+2+i]^128},packBlock:(e,t,n,r,i,a)=>{for(let n=0;n<32;n++)i[a+2+n]=e[t+n" +
  "]^128}}),Dt=M({id:`tq1_0`,bits:1.58,columns:256,bytes:54,scaleAt:52,offsetAt:null,groupCol" +
  "umns:256,levels:3,origin:-1,step:1,offset:`none`,...N,unpackBlock:(e,t,n,r)=>{for(let{byte" +
  ":i,count:a,first:o,apart:s,digits:c}of Ot)for(let l=0;l<a;l++){let a=e[t+i+l];for(let e=0;" +
  "e<c;e++)a*=3,n[r+o+s*e+l]=a>>8,a&=255}},packBlock:(e,t,n,r,i,a)=>{for(let{byte:n,count:r,f" +
  "irst:o,apart:s,digits:c}of Ot)for(let l=0;l<r;l++){let r=0;for(let n=0;n<5;n++)r=3*r+(n<c?" +
  "e[t+o+s*n+l]:0);i[a+n+l]=Math.ceil(256*r/243)}}}),Ot=[{byte:0,count:32,first:0,apart:32,di" +
  "gits:5},{byte:32,count:16,first:160,apart:16,digits:5},{byte:48,count:4,first:240,apart:4," +
  "digits:4}],kt={q1_0:lt,tq1_0:Dt,tq2_0:M({id:`tq2_0`,bits:1.58,columns:256,bytes:66,scaleAt" +
  ":64,offsetAt:null,groupColumns:256,levels:3,origin:-1,step:1,offset:`none`,...N,unpackBloc" +
  "k:(e,t,n,r)=>dt(e,t,n,r),packBlock:(e,t,n,r,i,a)=>ft(e,t,i,a)}),q2_0:ut,q2_k:pt,q3_k:mt,q4" +
  "_0:ht,q4_1:gt,q4_k:yt,q5_0:St,q5_1:Ct,q5_k:wt,q6_k:Tt,q8_0:Et},At=Object.values(kt),jt=Obj" +
  "ect.freeze({id:`binary`,bits:1,levels:2,origin:-1,step:2,zeroPoint:`none`,packing:`bits1`," +
  "scaleRule:`mean`,training:{straightThrough:{...A(-1,1),resolution:.5,shift:.5,passOutside:" +
  "!0},scale:`followed`,start:{of:`mean`,factor:1},topLevel:null,leastScale:1e-5}}),Mt=Object" +
  ".freeze({...jt,id:`elastic`,training:{straightThrough:{...A(-1,1),rule:`sign`},scale:`lear" +
  "ned`,start:{of:`mean`,factor:1},topLevel:1,leastScale:1e-5}});function Nt(e){return Object" +
  ".freeze({id:`codebook`,bits:e,levels:2**e,origin:0,step:1,codebook:!0,zeroPoint:`none`,pac" +
  "king:`bits${e}`,scaleRule:`magnitude`,training:null})}function Pt(e,t){return{straightThro" +
  "ugh:A(e,t),scale:`learned`,start:{of:`peak`,factor:1/t},topLevel:t,leastScale:1e-5}}functi" +
  "on Ft(e){return{straightThrough:{...A(0,e),rule:`zero-point`},scale:`learned`,start:{of:`s" +
  "pan`,factor:1/e},topLevel:null,leastScale:1e-4}}function I(e){return Object.freeze({id:`in" +
  "t`,bits:e,levels:2**e,origin:0,step:1,zeroPoint:`integer`,packing:`bits${e}`,scaleRule:`ra" +
  "nge`,training:Ft(2**e-1)})}function L(e){return Object.freeze({...I(e),id:`floatzero`,zero" +
  "Point:`float16`,scaleRule:`span`,training:null})}function R(e){let t=2**(e-1);return Objec" +
  "t.freeze({...I(e),id:`sym`,origin:-t,zeroPoint:`none`,scaleRule:`magnitude`,training:Pt(-t" +
  ",t-1)})}let It=Object.freeze({...R(8),id:`narrow`,levels:255,origin:-127,training:Pt(-127," +
  "127)}),Lt=Object.freeze({id:`nf4`,bits:4,levels:16,origin:-1,step:2/15,values:Float32Array" +
  ".of(-1,-.6961928,-.52507305,-.3949175,-.28444138,-.18477343,-.091050036,0,.0795803,.160930" +
  "2,.2461123,.33791524,.44070983,.562617,.72295684,1),zeroPoint:`none`,packing:`bits4`,scale" +
  "Rule:`magnitude`,training:null}),Rt=Object.freeze({...jt,id:`svid`,inputScales:!0,training" +
  ":null}),zt=Object.freeze({...Rt,id:`onebit`,normalizedOutputs:!0});function Bt(e,t,n){retu" +
  "rn{straightThrough:{...A(-.99,.99),resolution:e,shift:t,lowSlope:-n,highSlope:n},scale:`le" +
  "arned`,start:{of:`peak`,factor:1},topLevel:1,leastScale:1e-5}}let Vt=Object.freeze({id:`se" +
  "q`,bits:2,levels:4,origin:-.75,step:.5,zeroPoint:`none`,packing:`bits2`,scaleRule:`magnitu" +
  "de`,training:Bt(2,.5,.75)}),Ht=Math.fround(2/3),Ut=Object.freeze({id:`seq`,bits:1.58,level" +
  "s:3,origin:-Ht,step:Ht,zeroPoint:`none`,packing:`trits5`,scaleRule:`magnitude`,training:{." +
  "..Bt(1.5,0,1),thirds:!0}}),z=[jt,Mt,Object.freeze({id:`ternary`,bits:1.58,levels:3,origin:" +
  "-1,step:1,zeroPoint:`none`,packing:`trits5`,scaleRule:`mean`,training:{straightThrough:{.." +
  ".A(-1,1),passOutside:!0},scale:`followed`,start:{of:`mean`,factor:1},topLevel:null,leastSc" +
  "ale:1e-5}}),Ut,I(2),I(3),I(4),I(8),R(2),Vt,R(3),R(4),R(8),It,L(2),L(3),L(4),L(8),Lt,Nt(2)," +
  "Nt(3),Nt(4),Rt,zt];function B(e,t){let n=(1<<t)-1;return Object.freeze({packing:e,codesPer" +
  "Unit:t===3?8:8/t,bytesPerUnit:t===3?3:1,levels:1<<t,pack(e,r,i,a,o){let s=Math.ceil(i*t/8)" +
  ";a.fill(0,o,o+s);for(let s=0,c=0;s<i;s++,c+=t){let t=(e[r+s]&n)<<(c&7),i=o+(c>>>3);a[i]|=t" +
  "&255,t>255&&(a[i+1]|=t>>>8)}},unpack(e,r,i,a,o){for(let s=0,c=0;s<i;s++,c+=t){let i=r+(c>>" +
  ">3),l=e[i]|((c&7)+t>8?e[i+1]<<8:0);a[o+s]=l>>>(c&7)&n}}})}let Wt=B(`bits1`,1),Gt=B(`bits2`" +
  ",2),Kt=B(`bits3`,3),qt=B(`bits4`,4),Jt=B(`bits8`,8),Yt=[1,3,9,27,81],Xt={bits1:Wt,trits5:O" +
  "bject.freeze({packing:`trits5`,codesPerUnit:5,bytesPerUnit:1,levels:3,pack(e,t,n,r,i){for(" +
  "let a=0;a<n;a+=5){let o=0;for(let r=0;r<5&&a+r<n;r++)o+=e[t+a+r]*Yt[r];r[i+a/5]=o}},unpack" +
  "(e,t,n,r,i){for(let a=0;a<n;a+=5){let o=e[t+a/5];for(let e=0;e<5&&a+e<n;e++)r[i+a+e]=o%3,o" +
  "=Math.floor(o/3)}}}),bits2:Gt,bits3:Kt,bits4:qt,bits8:Jt},Zt=[8,2**20],Qt=/^[it]?q\\d/i,$t=" +
  "/\\d+(?:\\.\\d+)?/,en=/g(\\d+)/i,tn=/(\\d+)g/i;function V(e){let t=[...new Set(z.map(e=>e.bits)" +
  ")].sort((e,t)=>e-t),n=`schemes are w<bits>[g<group size>][-<grid>] with ${rn(t)} bits`;if(" +
  "Qt.test(e)){let t=At.map(({id:e})=>e),n=`types of blocks are ${t.join(`, `)}`;return`${tt(" +
  "e,t,``)} ${n}`.trim()}let r=$t.exec(e);if(!r)return`${n}, such as w4g128, w2g64, w3-sym, w" +
  "1.58 or w1`;let i=Number(r[0]),a=t.reduce((e,t)=>Math.abs(t-i)<Math.abs(e-i)?t:e),o=en.exe" +
  "c(e)??tn.exec(e),s=/sym/i.test(e)&&!/asym/i.test(e),c=z.some(e=>e.bits===a&&e.id===`sym`)," +
  "l=s&&c?`-sym`:``;return`did you mean w${a}${o?nn(o[1]):``}${l}? ${n}`}function nn(e){let[t" +
  ",n]=Zt;return`g${Math.min(n,Math.max(t,Number(e)))}`}function rn(e){return`${e.slice(0,-1)" +
  ".join(`, `)} or ${e.at(-1)}`}function an(e,t){let n=e.length>t?`${e.slice(0,t-3)}...`:e;re" +
  "turn JSON.stringify(n).replace(/[\\u007f-\\u009f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]/g,e=" +
  ">`\\\\u${e.charCodeAt(0).toString(16).padStart(4,`0`)}`)}function on(e){if(typeof e==`string" +
  "`)return an(e,60);if(typeof e!=`object`||!e)return String(e);if(!Array.isArray(e))return`a" +
  "n object`;let t=e.length<60&&e.every(e=>typeof e!=`object`),n=t?`[${e.map(on).join(`, `)}]" +
  "`:``;return t&&n.length<=60?n:`a list of ${e.length} ${e.length===1?`entry`:`entries`}`}le" +
  "t[sn,cn]=Zt,ln=/^w(\\d+(?:\\.\\d+)?)(?:g(\\d+))?((?:-[a-z]+?(?:(?<!a)\\d)?)*?)(?:-s(\\d+(?:\\.\\d+" +
  ")?))?(?:a(\\d+)(?:-(static|integer|sign))?)?$/,un=[.01,10],dn=new Map(At.map(e=>[e.id,fn(e)" +
  "]));function fn(e){let{id:t,groupColumns:n}=e,r=at(e);return Object.freeze({id:t,grid:r,pa" +
  "cking:null,groupSize:n,activation:null,sparse:null,blocks:e})}function pn(e){let t=e.slice" +
  "(0,100),n=dn.get(t.toLowerCase());if(n&&t===e)return n;let r=ln.exec(t);if(!r||t!==e)throw" +
  " new D(`${on(e)} is not a scheme id`,{hint:V(t)});let[,i,a,o=``,s,c,l=`token`]=r,u=wn(e,Nu" +
  "mber(i),o.split(`-`).slice(1)),d=hn(e,c,l),f=a===void 0?null:Number(a);if(f!==null&&(f<sn|" +
  "|f>cn))throw new D(`scheme ${e}: a group of ${a} is outside ${sn} to ${cn}`,{hint:V(e)});i" +
  "f(u.inputScales&&(f!==null||d!==null))throw new D(`scheme ${e}: the grid has no groups and" +
  " takes float inputs`,{hint:`use ${H(u,null).id}`});if(u.codebook&&f!==null)throw new D(`sc" +
  "heme ${e}: a codebook belongs to a row, which has no groups`,{hint:`use ${H(u,null,d).id}`" +
  "});let p=H(u,f,d,mn(e,s,u));if(l===`integer`&&!xn(p))throw new D(`scheme ${e}: integer out" +
  "puts need 8-bit weights with a scale a row`,{hint:`use w8-narrowa8-integer`});return p}fun" +
  "ction mn(e,t,n){if(t===void 0)return null;let[r,i]=un,a=Math.round(Number(t)*100)/100;if(a" +
  "<r||a>i)throw new D(`scheme ${e}: ${t} % of the weights beside the codes are outside ${r} " +
  "to ${i} %`);if(n.codebook)return a;throw new D(`scheme ${e}: only weights with a codebook " +
  "can have others beside them`,{hint:`use w3-codebook-s0.45, or w4-codebook-s0.45`})}functio" +
  "n hn(e,t,n){if(t===void 0)return null;let r=t=>e.replace(/a\\d+(-(static|integer|sign))?$/," +
  "t),i=rt.find(e=>String(e)===t);if(i===void 0)throw new D(`scheme ${e}: activations of ${t}" +
  " bits are not offered`,{hint:`use a1, a4, a6 or a8: ${r(`a8`)}`});let a={bits:i,mode:n};if" +
  "(n===`sign`&&i!==1)throw new D(`scheme ${e}: signs have 1 bit, not ${i}`,{hint:`use ${r(`a" +
  "1-sign`)}, or ${r(`a${i}`)}`});if(it(a)&&i!==8)throw new D(`scheme ${e}: activations by fi" +
  "xed ranges have 8 bits, not ${i}`,{hint:`use ${r(`a${i}`)}, or ${r(`a8-${n}`)}`});return a" +
  "}function H(e,t,n=null,r=null){let i=Cn(e.bits)===e,a=`${`${`w${e.bits}${t===null?``:`g${t" +
  "}`}`}${i?``:`-${e.id}`}${r===null?``:`-s${r}`}`}${Sn(n)}`;return Object.freeze({id:a,grid:" +
  "e,packing:Xt[e.packing],groupSize:t,activation:n,sparse:r,blocks:null})}function gn(e){ret" +
  "urn e.sparse===null?e:H(e.grid,e.groupSize,e.activation)}function _n({sparse:e},t,n){retur" +
  "n Math.round(t*n*(e??0)/100)}function U(e){if(e.blocks===null)return e;throw new D(`codes " +
  "of the scheme ${e.id} lie in blocks, together with scales`)}function vn(e){if(e.blocks)ret" +
  "urn e;throw new D(`codes of the scheme ${e.id} lie by themselves, not in blocks`)}function" +
  " yn({id:e,blocks:t},n){if(!t||n%t.columns===0)return;let r=At.filter(({columns:e})=>n%e===" +
  "0).map(e=>e.id).join(`, `);throw new D(`scheme ${e}: rows of ${n} columns are no whole num" +
  "ber of its blocks of ${t.columns}`,{hint:r?`for these rows use one of ${r}`:`no block form" +
  "at fits these rows; use a scheme such as w4g32`})}function bn(e,t){return e.groupSize===nu" +
  "ll?1:Math.ceil(t/e.groupSize)}function xn({grid:e,groupSize:t}){return t===null&&e.bits===" +
  "8&&e.zeroPoint===`none`&&e.step===1}function Sn(e){if(!e)return``;let{bits:t,mode:n}=e;ret" +
  "urn`a${t}${n===`token`?``:`-${n}`}`}function Cn(e){return z.find(t=>t.bits===e)}function w" +
  "n(e,t,n){let r=Cn(t);if(!r){let n=V(e);throw new D(`scheme ${e}: ${t} bits is not offered`" +
  ",{hint:n})}let i=n.filter(e=>e!==r.id&&(e!==`asym`||r.zeroPoint===`none`));if(i.length===0" +
  ")return r;let a=z.find(e=>e.bits===t&&e.id===i[0]);if(i.length>1||!a){let n=z.filter(e=>e." +
  "bits===t).map(e=>e.id),r=`${tt(i[0],n,``)} ${t}-bit grids: ${n.join(`, `)}`;throw new D(`s" +
  "cheme ${e}: no ${t}-bit grid \"${i.join(`-`)}\"`,{hint:r.trim()})}return a}function Tn(e){re" +
  "turn e<2**16?`u16`:`u32`}function En(e,t,n){if(e===0)return 0;let r=Tn(n)===`u16`?2:4;retu" +
  "rn t*r+e*(r+2)}function Dn({counts:e}){let t=new Int32Array(e.length+1);for(let[n,r]of e.e" +
  "ntries())t[n+1]=t[n]+r;return t}function On(e,t,n){let r=k(n.values),i=Dn(n);for(let a=0;a" +
  "+1<i.length;a++)for(let o=i[a];o<i[a+1];o++)e[a*t+n.columns[o]]+=r[o]}var kn=class e{schem" +
  "e;outFeatures;inFeatures;parts;constructor(t,n,r,i){let a=e.sizes(t,n,r);G(`blocks`,i.bloc" +
  "ks?.byteLength??0,a.blocks),G(`codes`,i.codes.byteLength,a.codes),G(`scales`,i.scales.byte" +
  "Length,a.scales),G(`zeros`,i.zeros?.byteLength??0,a.zeros),G(`input scales`,i.inputScales?" +
  ".byteLength??0,a.inputScales),G(`codebook`,i.codebook?.byteLength??0,a.codebook),G(`sparse" +
  " weights`,jn(i.sparse),a.sparse),this.scheme=t,this.outFeatures=n,this.inFeatures=r,this.p" +
  "arts=i}static sizes(e,t,n){let r=Ln(e,n),i=e.blocks?{...Nn,blocks:t*r}:{...Rn(e,t,n),codes" +
  ":t*r};return{rowBytes:r,...i,all:Ie(Object.values(i))}}static pack(t,n){let{outFeatures:r," +
  "inFeatures:i}=n,a=U(t),{packing:o}=a,s=e.sizes(t,r,i),c=In(a,r,i,n.codes),l=n.zeros?Bn(o,n" +
  ".zeros,s.zeros):null;return new e(t,r,i,{codes:c,scales:n.scales,zeros:l,inputScales:n.inp" +
  "utScales,codebook:n.codebook,sparse:n.sparse,activations:null})}static packBlocks(t,n){let" +
  "{outFeatures:r,inFeatures:i}=n,{blocks:a}=vn(t);return yn(t,i),e.ofBlocks(t,r,i,Ve(a,n))}s" +
  "tatic ofBlocks(t,n,r,i){return new e(t,n,r,{...Fn,blocks:i})}withoutSparse(){let{scheme:t," +
  "outFeatures:n,inFeatures:r,parts:i}=this,a={...i,sparse:void 0};return new e(gn(t),n,r,a)}" +
  "withActivations(t,n){return new e(t,this.outFeatures,this.inFeatures,{...this.parts,activa" +
  "tions:n})}withScales(t,n=null){let{scheme:r,parts:i,outFeatures:a,inFeatures:o}=this;if(r." +
  "blocks&&i.blocks){let s=qe(r.blocks,i.blocks,t,n);return e.ofBlocks(r,a,o,s)}return new e(" +
  "this.scheme,this.outFeatures,this.inFeatures,{...this.parts,scales:t})}withCodes(t){let{sc" +
  "heme:n,parts:r,outFeatures:i,inFeatures:a}=this,o=In(U(n),i,a,t);return new e(n,i,a,{...r," +
  "codes:o})}get sizeBytes(){return e.sizes(this.scheme,this.outFeatures,this.inFeatures).all" +
  "}get bitsPerWeight(){return this.sizeBytes*8/(this.outFeatures*this.inFeatures)}unpackCode" +
  "s(){let{outFeatures:e,inFeatures:t,scheme:n,parts:r}=this;if(n.blocks)return He(n.blocks,W" +
  "(this));let i=j(n.packing,t),a=new Uint8Array(e*t);for(let o=0;o<e;o++)n.packing.unpack(r." +
  "codes,o*i,t,a,o*t);return a}blockScales(){return Ke(vn(this.scheme).blocks,W(this))}unpack" +
  "BlockScales(){return Ue(vn(this.scheme).blocks,W(this))}unpackZeros(){let{zeros:e,scales:t" +
  "}=this.parts;if(!e)return null;if(e instanceof Uint16Array)return k(e);let n=new Uint8Arra" +
  "y(t.length);return U(this.scheme).packing.unpack(e,0,n.length,n,0),n}operand(){let{scheme:" +
  "e,outFeatures:t,inFeatures:n}=this,{grid:r,groupSize:i}=e,a=Ln(e,n),o={outFeatures:t,inFea" +
  "tures:n,groupSize:i??n,rowBytes:a};if(e.blocks){let{id:t,columns:n}=e.blocks;return{...o,f" +
  "ormat:t,blockColumns:n,blocks:W(this)}}let{codebook:s}=this.parts,c=s??r.values;return{..." +
  "o,layout:e.packing,codes:this.parts.codes,scales:s?new Uint16Array(t).fill(Pn):this.parts." +
  "scales,zeroPoints:this.parts.zeros,origin:r.origin,step:r.step,...c&&{table:c}}}dequantize" +
  "(e=new Float32Array(this.outFeatures*this.inFeatures)){let{inFeatures:t,outFeatures:n,sche" +
  "me:r}=this;if(r.blocks)return We(r.blocks,W(this),e);let{codebook:i,sparse:a}=this.parts;i" +
  "f(i)return An(this,i,e),a&&On(e,t,a),e;let{grid:o,groupSize:s,packing:c}=r,l=s??t,u=k(this" +
  ".parts.scales),d=this.unpackZeros(),f=j(c,t),p=new Uint8Array(t),m=bn(this.scheme,t);for(l" +
  "et r=0,i=0;r<n;r++){c.unpack(this.parts.codes,r*f,t,p,0);for(let n=0;n<t;n++,i++){let t=r*" +
  "m+Math.floor(n/l);e[i]=u[t]*Ze(o,p[n],d?d[t]:0)}}return Mn(e,this.parts.inputScales),e}};f" +
  "unction An(e,t,n){let{inFeatures:r,scheme:i}=e,{levels:a}=i.grid,o=k(t);for(let[t,i]of e.u" +
  "npackCodes().entries())n[t]=o[Math.floor(t/r)*a+i]}function jn(e){return e?Ie([e.counts,e." +
  "columns,e.values].map(({byteLength:e})=>e)):0}function Mn(e,t){if(!t)return;let n=k(t);for" +
  "(let t=0;t<e.length;t++)e[t]*=n[t%n.length]}let Nn={blocks:0,codes:0,scales:0,zeros:0,inpu" +
  "tScales:0,codebook:0,sparse:0,activations:0},Pn=15360,Fn={codes:/* @__PURE__ */ new Uint8A" +
  "rray,scales:/* @__PURE__ */ new Uint16Array,zeros:null,activations:null};function In({pack" +
  "ing:e},t,n,r){G(`unpacked codes`,r.length,t*n),Qe(e,r);let i=j(e,n),a=new Uint8Array(t*i);" +
  "for(let o=0;o<t;o++)e.pack(r,o*n,n,a,o*i);return a}function Ln(e,t){return yn(e,t),e.block" +
  "s?Be(e.blocks,t):j(e.packing,t)}function Rn(e,t,n){let r=t*bn(e,n);return{...Nn,scales:e.g" +
  "rid.codebook?0:r*2,zeros:zn(e,r),codebook:e.grid.codebook?t*e.grid.levels*2:0,sparse:En(_n" +
  "(e,t,n),t,n),inputScales:e.grid.inputScales?n*2:0,activations:{token:0,sign:0,static:8,int" +
  "eger:16}[e.activation?.mode??`token`]}}function W({parts:e}){return e.blocks??/* @__PURE__" +
  " */ new Uint8Array}function zn({grid:e,packing:t},n){return e.zeroPoint===`none`?0:e.zeroP" +
  "oint===`integer`?j(t,n):n*2}function Bn(e,t,n){if(t instanceof Uint16Array)return t;Qe(e,t" +
  ");let r=new Uint8Array(n);return e.pack(t,0,t.length,r,0),r}function G(e,t,n){if(t!==n)thr" +
  "ow new E(`quantized weight: expected ${n} bytes of ${e}, got ${t}`)}let Vn={f32:4,bf16:2,f" +
  "16:2};function K(e){return Object.hasOwn(Vn,e)}let Hn=/* @__PURE__ */ new Map;function Un(" +
  "e){let t=Hn.get(e)??pn(e);return Hn.set(e,t),t}function q(e,t,n){return K(e)?Vn[e]*t*n:kn." +
  "sizes(Un(e),t,n).all}let Wn={attention:`linear`,mlp:`linear`,experts:`linear`,router:`othe" +
  "rs`,embedding:`embedding`,head:`head`};function J({kind:e,storage:t},n){return t??n[Wn[e]]" +
  "}function Gn({kind:e}){return Wn[e]===`linear`}function Kn(e,t){let n={linear:0,embedding:" +
  "0,head:0,others:e.others*Vn[t.others]},r=0;for(let i of e.parts){let{outFeatures:e,inFeatu" +
  "res:a,count:o}=i,s=o*q(J(i,t),e,a);n[Wn[i.kind]]+=s,Gn(i)&&(r+=e*a*o)}let i=n.linear+n.emb" +
  "edding+n.head+n.others,a={linear:8*n.linear/r,all:8*i/e.parameters};return{...n,all:i,bits" +
  "PerWeight:a}}function Y({kvHeads:e,headDim:t},n){let r={f32:4*t,f16:2*t,i8:t+4,i4:Math.cei" +
  "l(t/2)+4}[n];return 2*e*r}let qn=9e7;function Jn(e,t){let n=Kn(e,t.storage).all,r=e.passes" +
  "*Y(e,t.kvCache)*t.context,i=Math.min(512,t.context),{hiddenSize:a,intermediateSize:o,heads" +
  ":s,headDim:c,vocabularySize:l}=e,u=4*(i*(3*a+2*o+2*s*c)+l);return{weights:n,kvCache:r,work" +
  ":u,program:qn,all:n+r+u+qn}}function Yn(e,t){let{storage:n}=t,r=e.others*{f32:4,bf16:2,f16" +
  ":2}[n.others],i=0,a=0;for(let t of e.parts){let{kind:e,outFeatures:o,inFeatures:s,used:c}=" +
  "t,l=J(t,n);r+=c*q(l,o,s),e===`embedding`&&(r+=q(l,1,s));let u=c*o*s;K(l)?a+=u:i+=u}let o=X" +
  "n(e,t.context);a+=2*e.heads*e.headDim*o;let s=Y(e,t.kvCache)*(o+e.passes);return{weightByt" +
  "es:r,kvBytes:s,bytes:r+s,integerProducts:i,floatProducts:a,operations:2*(i+a)}}function Xn" +
  "({spans:e},t){return e.reduce((e,{window:n,blocks:r})=>e+r*Math.min(n??t,t),0)}function Zn" +
  "(e,t,{bytesPerSecond:n,operationsPerSecond:r}){let i=Yn(e,t),a=Yn(e,{...t,context:256}),o=" +
  "(e,t)=>Math.max(e/n,t/r);return{decode:1/o(i.bytes,i.operations),prompt:512/o(a.bytes,512*" +
  "a.operations)}}function Qn(e,t,n){let r=Yn(e,t);return{stored:Kn(e,t.storage),memory:Jn(e," +
  "t),token:{...r,joules:Ae(r,n)}}}function $n(e,t,n){let r=Jn(e,t),i=e.passes*Y(e,t.kvCache)" +
  ",a=n-(r.all-r.kvCache),o=r.all-r.program;return{memoryBytes:n,fits:r.all<=n,largestContext" +
  ":Math.max(0,Math.floor(a/i)),largestParameters:Math.max(0,Math.floor(e.parameters*(n-r.pro" +
  "gram)/o))}}function er(e,t,n){let r=tr(e.map(e=>e.x)),i=tr(e.map(e=>e.y)),a=new Map(e.map(" +
  "e=>[`${e.x} ${e.y}`,Math.log(e.seconds)]));return a.size===0||a.size!==r.length*i.length?n" +
  "ull:Math.exp(nr(r,t,e=>nr(i,n,t=>a.get(`${e} ${t}`)??NaN)))}function tr(e){return[...new S" +
  "et(e)].sort((e,t)=>e-t)}function nr(e,t,n){let r=e.findIndex(e=>e>=t),i=e.length-1,a=r<0?i" +
  ":Math.max(r,Math.min(1,i));if(a===0)return n(e[0])+Math.log(t/e[0]);let[o,s]=[e[a-1],e[a]]" +
  ",c=Math.log(t/o)/Math.log(s/o);return n(o)*(1-c)+n(s)*c}function rr(e,t){let n=[...e].sort" +
  "((e,t)=>e.size-t.size);if(n.length<2)return n[0]?.seconds??null;let r=n.findIndex(e=>e.siz" +
  "e>=t),i=r<0?n.length-1:Math.max(1,r),[a,o]=[n[i-1],n[i]],s=(t-a.size)/(o.size-a.size);retu" +
  "rn a.seconds+s*(o.seconds-a.seconds)}function ir(e,t){let[n]=e.runs,r=t===void 0?n:e.runs." +
  "find(e=>e.threads===t);if(r)return r;throw new Ne(`nothing was measured with ${t} threads " +
  "on ${e.machine.processor}`,{hint:`measured: ${e.runs.map(e=>e.threads).join(`, `)}`,field:" +
  "`threads`,value:t})}function ar(e,t,n,r=`median`){let{tokens:i,outFeatures:a,inFeatures:o}" +
  "=n,s=or(e,t,i),c=e.products.filter(e=>e.storage===s&&e.tokens===i).map(e=>({x:e.outFeature" +
  "s,y:e.inFeatures,seconds:e.seconds[r]})),l=s===null?null:er(c,a,o);if(l===null||s===null)t" +
  "hrow new Ne(`the machine's table has no products of ${t}`,{hint:\"measure anew, without `qu" +
  "ick`: `fewbit measure-machine`\"});return s===t?l:l*X(t)/X(s)}function X(e){return q(e,1,40" +
  "96)}function or(e,t,n){let r=[...new Set(e.products.flatMap(e=>e.tokens===n?[e.storage]:[]" +
  "))];if(r.includes(t))return t;if(K(t))return null;let{packing:i}=Un(t),a=X(t),o=e=>Math.ab" +
  "s(Math.log(X(e)/a));return r.filter(e=>i===null||K(e)?!1:Un(e).packing?.packing===i.packin" +
  "g).sort((e,t)=>o(e)-o(t))[0]??null}function sr(e,t,{kvCache:n,context:r},i){let a=e.attent" +
  "ion.filter(e=>e.kvCache===n).map(e=>({x:e.elements,y:e.group,seconds:e.seconds[i]})),o=t.h" +
  "eads/t.kvHeads;return t.spans.reduce((e,{window:n,blocks:i})=>{let s=Math.max(1,Math.min(n" +
  "??r,r)),c=t.heads*t.headDim*s;return e+i*(er(a,c,o)??0)},0)}function cr(e,t,n,{threads:r,t" +
  "ake:i=`median`}={}){let a=ir(e,r),o={linear:0,head:0};for(let e of t.parts){if(e.used===0)" +
  "continue;let t=e.kind===`head`||e.kind===`embedding`,r=J(e,n.storage),s=e.used*ar(a,r,{tok" +
  "ens:1,...e},i);o[t?`head`:`linear`]+=s}let{kvCache:s,context:c}=n,l=e=>sr(a,t,{kvCache:s,c" +
  "ontext:e},i),u=Math.max(0,l(c)-l(Math.min(c,16))),d=lr(a,t,1,i);return{...o,attention:u,re" +
  "st:d,all:o.linear+o.head+u+d}}function lr(e,t,n,r){let i=e.blocks.filter(e=>e.tokens===n)." +
  "map(e=>({size:e.hiddenSize,seconds:e.seconds[r]})),a=e.steps.filter(e=>e.tokens===n).map(e" +
  "=>({size:e.vocabularySize,seconds:e.seconds[r]})),o=rr(i,t.hiddenSize)??0;return t.passes*" +
  "o+(rr(a,t.vocabularySize)??0)}function ur(e,t,{storage:n},{threads:r,take:i=`median`}={}){" +
  "let a=ir(e,r);return t.parts.reduce((e,t)=>{if(t.used===0)return e;let r=t.kind===`head`||" +
  "t.kind===`embedding`,o={...t,tokens:r?1:128};return e+t.used*ar(a,J(t,n),o,i)},0)+lr(a,t,1" +
  "28,i)}function dr(e,t,n,r={}){return{decode:1/cr(e,t,n,r).all,prompt:128/ur(e,t,n,r)}}let " +
  "fr=[[16,`#1b1b1f`,`#f4f4f5`],[8,`#4b008d`,`#c9a6ff`],[4,`#2d53b0`,`#6f93ff`],[3,`#0a7454`," +
  "`#2fb67c`],[2,`#b45a1e`,`#dd7d3c`],[1.58,`#dc509b`,`#ff9dd0`],[1,`#ad9109`,`#ebd04c`]];fun" +
  "ction Z(e){return`bits-${String(e).replace(`.`,`_`)}`}pr(`--paper: #ffffff; --ink: #18181b" +
  "; --faint: #62626b; --line: #e4e4e7; --raised: #f4f4f5; --accent: #1d4ed8; --bad: #b91c1c`" +
  ",1),pr(`--paper: #131316; --ink: #ececee; --faint: #a1a1aa; --line: #313136; --raised: #1e" +
  "1e22; --accent: #7ab0ff; --bad: #f87171`,2);function pr(e,t){return[e,...fr.map(e=>`--${Z(" +
  "e[0])}: ${e[t]}`),``].join(`; `).trim()}fr.map(([e])=>`.${Z(e)} { --colour: var(--${Z(e)})" +
  "; }`).join(`\n`);function mr(e,t){let[n,r]=vr(e.filter(e=>e>0&&Number.isFinite(e))),i=Math." +
  "max((Math.log10(r)-Math.log10(n))*.08,.004),a=[Math.log10(n)-i,Math.log10(r)+i],o=yr(a,t);" +
  "return{position:e=>o(Math.log10(e)),ticks:gr(...a)}}function hr(e,t,n){let r=t-e;if(!(r>0)" +
  "||!Number.isFinite(r))return[];let i=r/n,a=10**Math.floor(Math.log10(i)),o=a*([1,2,5,10].f" +
  "ind(e=>e*a>=i)??10),s=Math.ceil(e/o-1e-9),c=Math.floor(t/o+1e-9),l=Math.max(0,-Math.floor(" +
  "Math.log10(o)+1e-9));return Array.from({length:c-s+1},(e,t)=>Number(((s+t)*o).toFixed(l)))" +
  "}function gr(e,t){let n=t-e;if(n<.5)return hr(10**e,10**t,6);let r=n>4?[1]:n>1.3?[1,2,5]:[" +
  "1,1.5,2,3,4,6,8],i=Math.max(1,Math.ceil(n/_r)),a=i*Math.floor(e/i);return Array.from({leng" +
  "th:Math.ceil((t-a)/i)+1},(e,t)=>a+i*t).flatMap(e=>r.map(t=>br(t*10**e))).filter(n=>Math.lo" +
  "g10(n)>=e&&Math.log10(n)<=t)}let _r=9;function vr(e){let t=e.filter(Number.isFinite);if(t." +
  "length===0)return[.1,1];let n=Math.min(...t),r=Math.max(...t);return n<r?[n,r]:n===0?[0,1]" +
  ":[n-.05*Math.abs(n),n+.05*Math.abs(n)]}function yr(e,t){let[n,r]=e;return e=>t[0]+(e-n)/(r" +
  "-n)*(t[1]-t[0])}function br(e){return Number(e.toPrecision(12))}let xr=[16,8,4,3,2,1.58,1]" +
  ";function Sr(e,t,n){return e===16?n:`w${e}${t===null?``:`g${t}`}`}function Cr({shape:e,flo" +
  "ats:t},n){let{bits:r,group:i,kvCache:a,context:o}=n,s=Sr(n.embedding,64,t),c=Sr(e.tied?n.e" +
  "mbedding:n.head,64,t);return{storage:{linear:Sr(r,i,t),embedding:s,head:c,others:t},kvCach" +
  "e:a,context:o}}function wr(e,t){let n=Cr(e,t),r=e.machines.find(({id:e})=>e===t.machine)??" +
  "e.machines[0];return{...Qn(e.shape,n,r.energy),scheme:n.storage.linear,machine:r,speeds:Tr" +
  "(e.shape,n,r),fit:$n(e.shape,n,r.memoryBytes)}}function Tr(e,t,n){let{table:r,threads:i,li" +
  "mits:a}=n;if(!r)return Zn(e,t,a);try{return dr(r,e,t,i===void 0?{}:{threads:i})}catch(e){i" +
  "f(e instanceof je)return null;throw e}}function Er(e,t){let n=xr.map(n=>({bits:n,...wr(e,{" +
  "...t,bits:n})})).flatMap(e=>e.speeds?[{...e,speed:e.speeds.decode}]:[]),r=[0,1],i=mr(n.map" +
  "(e=>e.memory.all),r),a=mr(n.map(e=>e.speed),r),o=n.map(e=>{let n=e.bits===16?`16 bits`:e.s" +
  "cheme;return{id:e.scheme,x:i.position(e.memory.all),y:a.position(e.speed),whisker:null,col" +
  "our:Z(e.bits),shape:e.bits===t.bits?`circle`:`square`,label:n,faded:e.bits!==t.bits,near:!" +
  "0,title:`${n}\\n${w(e.memory.all)}\\n${C(e.speed)} tokens a second`}});return{x:{title:`memo" +
  "ry`,ticks:i.ticks.map(e=>({at:i.position(e),label:we(w(e))}))},y:{title:`tokens a second`," +
  "ticks:a.ticks.map(e=>({at:a.position(e),label:`${e}`}))},lines:[{kind:`front`,colour:``,pl" +
  "aces:o.map(e=>[e.x,e.y])}],points:o,side:`right`}}let Dr={wide:{width:620,top:0,plotHeight" +
  ":330,fontSize:13,labelReach:60},narrow:{width:350,top:0,plotHeight:250,fontSize:12.5,label" +
  "Reach:28}};function Q(e,t){let n=new FormData(e).get(t);return typeof n==`string`?n:``}fun" +
  "ction Or(e){let t=Q(e,`group`);return{bits:Number(Q(e,`bits`)),group:t===`row`?null:Number" +
  "(t),embedding:Number(Q(e,`embedding`)),head:Number(Q(e,`head`)||Q(e,`embedding`)),kvCache:" +
  "Q(e,`kvCache`),context:Math.round(2**Number(Q(e,`context`))),machine:Q(e,`machine`)}}funct" +
  "ion kr(e,t){let n=Or(t),r=wr(e,n);for(let[t,i]of Object.entries(De(e,n,r))){let e=document" +
  ".querySelector(`[data-figure=\"${t}\"]`);e&&(e.textContent=i)}for(let[e,t]of Object.entries(" +
  "r.memory)){let n=document.querySelector(`[data-part=\"${e}\"]`);n&&(n.style.flexGrow=String(" +
  "t/r.memory.all))}let i=Math.min(1,r.memory.all/r.machine.memoryBytes);document.querySelect" +
  "or(`#bar`)?.style.setProperty(`--filled`,`${100*i}%`),document.querySelector(`#fit`)?.clas" +
  "sList.toggle(`bad`,!r.fit.fits),t.querySelector(`[name=\"context\"]`)?.setAttribute(`aria-va" +
  "luetext`,`${n.context} tokens`);for(let t of document.querySelectorAll(`svg.chart`)){let r" +
  "=Dr[t.getAttribute(`data-size`)??``],{content:i,height:a}=be(Er(e,n),r);t.innerHTML=i,t.se" +
  "tAttribute(`viewBox`,`0 0 ${r.width} ${a}`)}}let Ar=document.getElementById(`data`)?.textC" +
  "ontent,$=document.querySelector(`form`);if(Ar&&$){let e=JSON.parse(Ar);$.addEventListener(" +
  "`input`,()=>kr(e,$)),$.addEventListener(`submit`,e=>e.preventDefault()),kr(e,$)}})();";
